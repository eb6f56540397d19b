"""A Raspberry Pi's ribbon-cable (CSI) camera through picamera2, which comes with the system, not from PyPI."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_facenet.errors import CameraLost, ConfigError, SetupError

from .frames import CameraOptions, Pixels, rgb

ORDERS: dict[str, tuple[int, int, int]] = {
    "RGB888": (2, 1, 0),
    "BGR888": (0, 1, 2),
    "XRGB8888": (2, 1, 0),
    "XBGR8888": (0, 1, 2),
}
"""Where red, green and blue lie in picamera2's arrays. The names are DRM's: they name the bits of a little-endian word
from the top, so in memory "RGB888" is B, G, R.
Source: the picamera2 manual, appendix "Pixel and image formats"; raspberrypi/picamera2 issue 848."""
CURE = (
    "Type: sudo apt install python3-picamera2, and make the virtual environment with "
    "python3 -m venv --system-site-packages"
)


class PiCamera:
    """A camera by number.

    Args:
        name: as the user calls it.
        module: gives the module picamera2.
        pixel_format: one of `ORDERS`.
    Raises:
        ConfigError: a format that is not known here.
    """

    def __init__(
        self,
        number: int,
        name: str,
        options: CameraOptions,
        module: Callable[[], Any] | None = None,
        pixel_format: str = "RGB888",
    ) -> None:
        if pixel_format not in ORDERS:
            raise ConfigError(f"The camera's format is one of {', '.join(ORDERS)}, found {pixel_format}.")
        self.name = name
        self._number, self._options, self._format = number, options, pixel_format
        self._module = module or load
        self._camera: Any = None
        self._order = ORDERS[pixel_format]

    def open(self) -> None:
        """Configure and start.

        Raises:
            SetupError: picamera2 is not installed for this Python.
            CameraLost: no such camera, or it does not start.
        """
        picamera2 = self._module()
        self.close()
        camera = None
        try:
            camera = picamera2.Picamera2(self._number)
            self._start(camera)
        except Exception as error:  # libcamera's layers raise IndexError, RuntimeError, OSError and their own
            if camera is not None:
                with contextlib.suppress(Exception):
                    camera.close()  # otherwise the next try finds it in use
            raise CameraLost(
                f"{self.name} cannot be opened: {type(error).__name__}: {error}. rpicam-hello --list-cameras shows "
                "which cameras there are; another program may be using it."
            ) from error
        self._camera = camera

    def _start(self, camera: Any) -> None:
        size = (self._options.width, self._options.height)
        controls = {"FrameRate": self._options.fps} if self._options.fps is not None else {}
        wanted = camera.create_preview_configuration(
            main={"format": self._format, "size": size}, **({"controls": controls} if controls else {})
        )
        camera.configure(wanted)
        self._order = ORDERS[self._given_format(camera)]
        camera.start()

    def _given_format(self, camera: Any) -> str:
        """What the camera was really set to: the driver may change what was asked for."""
        asked = getattr(camera, "camera_configuration", None)
        given = str((asked() or {}).get("main", {}).get("format", self._format)) if callable(asked) else self._format
        if given not in ORDERS:
            raise ConfigError(f"it gives {given}, known are {', '.join(ORDERS)}")
        return given

    def read(self) -> Pixels | None:
        """See `Device`."""
        picture = self._camera.capture_array("main")
        return None if picture is None else rgb(np.asarray(picture), self._order)

    def close(self) -> None:
        """See `Device`."""
        camera, self._camera = self._camera, None
        for end in ("stop", "close") if camera is not None else ():
            with contextlib.suppress(Exception):  # a device that has gone may refuse to be stopped
                getattr(camera, end)()


def load() -> Any:
    """The module picamera2.

    Raises:
        SetupError: it is absent, or was built for another numpy; the message says what to type.
    """
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        missing = error.name or "picamera2"
        what = "which is not installed" if missing == "picamera2" else f"which lacks {missing}"
        raise SetupError(f"A ribbon-cable camera needs picamera2, {what} for this Python. {CURE}.") from error
    except ValueError as error:  # "numpy.dtype size changed": an extension built for numpy 1
        raise SetupError(
            f"picamera2 does not load: {error}. Raspberry Pi OS Bookworm's needs numpy 1. "
            "Type: pip install 'numpy<2' 'opencv-python-headless<4.12'"
        ) from error
