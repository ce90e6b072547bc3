"""Files that carry models: every weight by its coefficients and its basis, for readers that have no repcore.

coefficients (an adapter collects them)  ->  one .safetensors file  ->  dense weights, or the same model again
"""

from repcore.interchange.files import dump, load
from repcore.interchange.model import Coefficients, ModelFile

__all__ = ["Coefficients", "ModelFile", "dump", "load"]
