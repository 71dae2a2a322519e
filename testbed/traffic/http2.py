"""HTTP/2 as both of our ends speak it: h2, with windows that no line waits for, and farewells that end no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from h2.events import Event
    from hyperframe.frame import Frame, GoAwayFrame

__all__ = ["Http2"]

# Of flow control. No line waits for it: with the 64 KiB of RFC 9113 every line would wait for the other end.
_WINDOW_BYTES = 16 << 20
_FIRST_WINDOW_BYTES = 65_535  # RFC 9113, section 6.9.2


class Http2(H2Connection):
    """One end of a connection.

    Args:
        is_client: Which of both.
        settings: Announced to the other end, beside the window of streams.

    Attributes:
        farewell: The last stream that the other end will see to, once it has said that it takes no new ones; else None.
    """

    def __init__(self, *, is_client: bool, settings: Mapping[SettingCodes, int]) -> None:
        super().__init__(H2Configuration(client_side=is_client, header_encoding="utf-8"))
        self.farewell: int | None = None
        # Instead of h2's own, not a change of them: a change holds once it is acknowledged, and bytes come before that.
        self.local_settings = Settings(
            client=is_client, initial_values={**settings, SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES}
        )

    def begin(self) -> None:
        """Say what a connection begins with."""
        self.initiate_connection()
        self.increment_flow_control_window(_WINDOW_BYTES - _FIRST_WINDOW_BYTES)

    def room(self, stream: int) -> int:
        """Return how many bytes of a body may go out in one frame now."""
        # A window is below zero where the other end has made it smaller since (RFC 9113, section 6.9.2).
        return max(min(self.local_flow_control_window(stream), self.max_outbound_frame_size), 0)

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """Take a farewell for what it is: streams that are open go on (RFC 9113, section 6.8). h2 would end them."""
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        self.farewell = frame.last_stream_id
        return [], []
