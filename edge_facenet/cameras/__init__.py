"""Frames from cameras, videos, folders and pipes, behind one interface.

`open_source("camera:0")` gives a `Source`; iterate over it and close it (or use `with`). frames: what all sources share.
live: newest frame, unplugging, back-off; v4l2 and pi are the devices behind it. stored: videos and folders of pictures.
pipe: bytes of a stream; split: where one picture in it ends.
"""

from __future__ import annotations

from .frames import CameraOptions, Event, Frame, OnEvent, Source
from .opening import Parts, is_camera, open_source

__all__ = ["CameraOptions", "Event", "Frame", "OnEvent", "Parts", "Source", "is_camera", "open_source"]
