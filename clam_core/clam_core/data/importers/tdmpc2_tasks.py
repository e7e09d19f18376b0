"""Tasks of TD-MPC2's multi-task datasets: what the task numbers in their files mean."""

from __future__ import annotations

METAWORLD_PREFIX = "mw-"

_DMCONTROL = """
walker-stand walker-walk walker-run cheetah-run reacher-easy reacher-hard acrobot-swingup pendulum-swingup
cartpole-balance cartpole-balance-sparse cartpole-swingup cartpole-swingup-sparse cup-catch finger-spin
finger-turn-easy finger-turn-hard fish-swim hopper-stand hopper-hop walker-walk-backwards walker-run-backwards
cheetah-run-backwards cheetah-run-front cheetah-run-back cheetah-jump hopper-hop-backwards reacher-three-easy
reacher-three-hard cup-spin pendulum-spin
"""

_METAWORLD = """
assembly basketball button-press-topdown button-press-topdown-wall button-press button-press-wall coffee-button
coffee-pull coffee-push dial-turn disassemble door-open door-close drawer-close drawer-open faucet-open faucet-close
hammer handle-press-side handle-press handle-pull-side handle-pull lever-pull peg-insert-side peg-unplug-side
pick-out-of-hole pick-place pick-place-wall plate-slide plate-slide-side plate-slide-back plate-slide-back-side
push-back push push-wall reach reach-wall shelf-place soccer stick-push stick-pull sweep-into sweep window-open
window-close bin-picking box-close door-lock door-unlock hand-insert
"""

#: Task number → name in ``mt80``; ``mt30`` is its first 30. Meta-World's tasks begin with ``mw-``.
TASKS: tuple[str, ...] = (*_DMCONTROL.split(), *(METAWORLD_PREFIX + task for task in _METAWORLD.split()))


def canonical(task: str) -> str:
    """Name in `TASKS` of `task`: ``mw-assembly`` for ``assembly``, ``assembly-v3`` and ``mw-assembly``."""
    name = task.removesuffix("-v2").removesuffix("-v3")
    return METAWORLD_PREFIX + name if METAWORLD_PREFIX + name in TASKS else name


def environment_of(task: str) -> tuple[str, str]:
    """This project's environment and task for a name in `TASKS`."""
    if task.startswith(METAWORLD_PREFIX):
        return "metaworld", task.removeprefix(METAWORLD_PREFIX)
    return "dmcontrol", task
