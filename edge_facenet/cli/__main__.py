"""`python -m edge_facenet.cli` is `edge-facenet`."""

from .main import main

if __name__ == "__main__":
    main()
