# Sourced by `up` and `down`: the cluster's folder and processes.
# shellcheck shell=bash
cluster=${RUNNER_SLURM_DIR:-/tmp/runner-slurm} # keep it short: it holds unix sockets
export SLURM_CONF=$cluster/etc/slurm.conf
. "$(dirname "${BASH_SOURCE[0]}")/../processes.sh"
