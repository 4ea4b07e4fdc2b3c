"""`python -P -m tui`: the `temper` command for children, which must not see their directory."""

import sys

from tui.cli import main

sys.exit(main())
