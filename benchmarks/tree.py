"""To be imported first: what is measured is the tree that this file lies in.

Without it, it is whichever Penstock is installed, as where one environment serves several trees.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(ROOT))
