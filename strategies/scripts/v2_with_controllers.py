"""Runs any number of controllers, each from its own file, and stops them when they lose too much.

A bot sees this file as `scripts.v2_with_controllers`. Controllers decide what to trade; this script starts and
stops them, watches their drawdown and publishes their performance once a second.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

from hummingbot.client.hummingbot_application import HummingbotApplication
from hummingbot.core.data_type.common import PositionMode
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction, StopExecutorAction
from hummingbot.strategy_v2.models.executors_info import PerformanceReport
from pydantic import Field

REPORT_PERIOD = 1.0
"""Seconds between two performance messages."""


class V2WithControllersConfig(StrategyV2ConfigBase):  # type: ignore[misc]  # hummingbot is untyped
    """Which controllers to run, and how much they may lose."""

    script_file_name: str = Path(__file__).name
    max_global_drawdown_quote: float | None = Field(default=None, gt=0)
    """All controllers together: quote units below their best result after which the bot stops."""
    max_controller_drawdown_quote: float | None = Field(default=None, gt=0)
    """One controller: quote units below its own best result after which it is stopped."""


class V2WithControllers(StrategyV2Base):  # type: ignore[misc]  # hummingbot is untyped
    """Runs controllers, publishes their performance and enforces their limits."""

    def __init__(self, connectors: dict[str, Any], config: V2WithControllersConfig) -> None:
        super().__init__(connectors, config)
        self.config = config
        self._best_global = Decimal(0)
        self._best: dict[str, Decimal] = {}
        self._stopped_for_drawdown: set[str] = set()
        self._reported_at = 0.0

    def on_tick(self) -> None:
        """Once a second: let the controllers act, then check limits and report."""
        super().on_tick()
        if self._is_stop_triggered:
            return
        self._obey_kill_switches()
        self._enforce_drawdown_limits()
        if self.mqtt_enabled and self.current_timestamp - self._reported_at >= REPORT_PERIOD:
            self._reported_at = self.current_timestamp
            self._pub(self.performance_message())

    def performance_message(self) -> dict[str, Any]:
        """What is published: result and own words of each controller, by its id."""
        message = {}
        for controller_id, controller in self.controllers.items():
            report = self.get_performance_report(controller_id) or PerformanceReport()
            message[controller_id] = {
                "performance": {
                    **report.model_dump(exclude={"positions_summary"}),
                    "positions_summary": [
                        position if isinstance(position, dict) else position.model_dump()
                        for position in report.positions_summary
                    ],
                    "close_type_counts": {str(kind): count for kind, count in report.close_type_counts.items()},
                },
                "custom_info": controller.get_custom_info(),
            }
        return message

    def create_actions_proposal(self) -> list[CreateExecutorAction]:
        """Nothing: controllers send their own."""
        return []

    def stop_actions_proposal(self) -> list[StopExecutorAction]:
        """Nothing: controllers send their own."""
        return []

    def apply_initial_setting(self) -> None:
        """Set leverage and position mode where a controller asks for them on a perpetual market."""
        modes: dict[str, PositionMode] = {}
        for controller in self.controllers.values():
            values = controller.config.model_dump()
            connector = values.get("connector_name")
            if connector is None or not self.is_perpetual(connector):
                continue
            if values.get("position_mode") is not None:
                modes[connector] = values["position_mode"]
            if values.get("leverage") is not None:
                self.set_leverage(connector, values["trading_pair"], values["leverage"])
        for connector, mode in modes.items():
            self.set_position_mode(connector, mode)

    def _obey_kill_switches(self) -> None:
        for controller_id, controller in self.controllers.items():
            running = controller.status == RunnableStatus.RUNNING
            if controller.config.manual_kill_switch and running:
                self.logger().info(f"Kill switch: stopping controller {controller_id}.")
                self._stop_controller(controller_id)
            elif (
                not controller.config.manual_kill_switch
                and not running
                and controller_id not in self._stopped_for_drawdown
            ):
                self.logger().info(f"Kill switch released: starting controller {controller_id}.")
                controller.start()

    def _enforce_drawdown_limits(self) -> None:
        total = Decimal(0)
        for controller_id in self.controllers:
            report = self.get_performance_report(controller_id)
            result = Decimal(0) if report is None else report.global_pnl_quote
            total += result
            best = self._best[controller_id] = max(self._best.get(controller_id, result), result)
            limit = self.config.max_controller_drawdown_quote
            if (
                limit is not None
                and best - result > Decimal(str(limit))
                and controller_id not in self._stopped_for_drawdown
            ):
                self.logger().warning(
                    f"Controller {controller_id} lost {best - result} from its best: stopping it."
                )
                self._stopped_for_drawdown.add(controller_id)
                self._stop_controller(controller_id)
        self._best_global = max(self._best_global, total)
        limit = self.config.max_global_drawdown_quote
        if limit is not None and self._best_global - total > Decimal(str(limit)):
            self.logger().error(f"The bot lost {self._best_global - total} from its best: stopping.")
            self._is_stop_triggered = True
            HummingbotApplication.main_application().stop()

    def _stop_controller(self, controller_id: str) -> None:
        self.controllers[controller_id].stop()
        self.executor_orchestrator.execute_actions(
            [
                StopExecutorAction(controller_id=controller_id, executor_id=executor.id)
                for executor in self.get_executors_by_controller(controller_id)
                if executor.is_active
            ]
        )
