"""Jobs are processes on this machine: `runner.backends.local.backend.LocalBackend`.

Nothing is imported here, because the spawner, a small program of its own, imports its parts through this
package.
"""
