"""`python -m anonbench` is `anonbench`."""

import sys

from anonbench.cli import main

sys.exit(main())
