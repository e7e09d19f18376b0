"""Deployment: the bundle folder, and the policy runtime that is the same offline, in simulation and on the robot."""

from clam_core.deploy.bundle import load_bundle
from clam_core.deploy.ensembling import TemporalEnsembler
from clam_core.deploy.policy import Policy

__all__ = ["Policy", "TemporalEnsembler", "load_bundle"]
