"""An album sorted by person.

album (photos to faces) -> linkage, threshold, grouping (faces to people) -> result, page (people to files that a person
can look at) -> place (where they go). grouping needs embeddings alone; linkage says why nothing chains.
"""

from .grouping import Faces, Group, Grouping, group
from .threshold import AlbumThreshold

__all__ = ["AlbumThreshold", "Faces", "Group", "Grouping", "group"]
