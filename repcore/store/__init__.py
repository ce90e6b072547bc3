"""The content-addressed store of solved bases: the basis file, the directories that hold them, and ``solve`` on top."""
