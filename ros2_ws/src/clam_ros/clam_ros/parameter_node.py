"""A node whose parameters have ranges and choices, and are not changed where nobody would read them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterException,
)
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter

from clam_core.errors import ClamError, did_you_mean


class ParameterNode(LifecycleNode):
    """A lifecycle node with checked parameters: what it reads while it is configured stays until it is cleaned up."""

    def __init__(self, name: str, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._choices: dict[str, tuple[str, ...]] = {}
        self._live: set[str] = set()
        self._reading = False
        self._read: set[str] = set()
        self.add_on_set_parameters_callback(self._check_parameters)

    def declare(
        self,
        name: str,
        default: Any,
        description: str,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: Sequence[str] = (),
        live: bool = False,
    ) -> None:
        """Declare a parameter; its type is that of `default`, numbers lie in [low, high].

        What `configure` reads cannot be set afterwards, as nobody would read it again, unless it is `live`.

        Raises:
            ClamError: the value given at start has another type, lies outside the range or is no valid
            choice.
        """
        descriptor = ParameterDescriptor(description=description)
        if live:
            self._live.add(name)
        if choices:
            self._choices[name] = tuple(choices)
            descriptor.additional_constraints = "one of: " + ", ".join(choices)
        if low is not None or high is not None:
            if isinstance(default, int):
                bounds = (int(-(2**62) if low is None else low), int(2**62 if high is None else high))
                descriptor.integer_range = [IntegerRange(from_value=bounds[0], to_value=bounds[1], step=0)]
            else:
                limits = (float("-inf") if low is None else low, float("inf") if high is None else high)
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]), step=0.0)
                ]
        try:
            value = self.declare_parameter(name, default, descriptor).value
        except InvalidParameterTypeException as error:
            kind = {float: "a float (write 1.0, not 1)", int: "an integer", bool: "true or false"}.get(
                type(default), f"a {type(default).__name__}"
            )
            raise ClamError(f"parameter '{name}' must be {kind}: {error}") from error
        except (InvalidParameterValueException, ParameterException) as error:
            raise ClamError(f"parameter '{name}' is refused: {error}") from error
        if choices and value not in choices:
            raise ClamError(f"parameter '{name}' is '{value}': {did_you_mean(str(value), choices)}")

    def value(self, name: str) -> Any:
        """Value of a declared parameter."""
        if self._reading and name not in self._live:
            self._read.add(name)
        return self.get_parameter(name).value

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read meanwhile cannot be set, until `forget_read`."""
        self._reading = True
        self._read.add("use_sim_time")  # stamps and ages of a node are of one clock
        try:
            yield
        finally:
            self._reading = False

    def forget_read(self) -> None:
        """Everything can be set again."""
        self._read.clear()

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name in self._read and parameter.value != self.value(parameter.name):
                reason = f"{parameter.name} is read when the node is configured: deactivate and clean it up first"
                return SetParametersResult(successful=False, reason=reason)
            choices = self._choices.get(parameter.name, ())
            if choices and parameter.value not in choices:
                mend = did_you_mean(str(parameter.value), choices)
                reason = f"'{parameter.value}' is no valid {parameter.name}: {mend}"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)
