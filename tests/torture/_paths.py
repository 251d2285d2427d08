"""Imported first: the modules here and those that the tests share are found, however the script is started."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
