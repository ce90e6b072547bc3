"""TEMPORARY placeholder."""
class Spec: pass
def load(path): raise NotImplementedError
def dump(obj, path): raise NotImplementedError
