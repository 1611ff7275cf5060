"""`python -m z2i_tf` is `z2i`."""

import sys

from z2i_tf.cli.main import main

if __name__ == "__main__":
  sys.exit(main())
