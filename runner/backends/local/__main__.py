"""The spawner's entry: `python -I -S .../runner/backends/local/__main__.py FD`, where FD is its end of a
socketpair.
"""

import sys

if __name__ == "__main__":
    # Isolated mode knows neither the checkout nor site-packages; last on the path, so that nothing there
    # shadows the standard library.
    sys.path.append(__file__.rsplit("/", 4)[0])
    from runner.backends.local.spawner import main

    main(int(sys.argv[1]))
