# Sourced by `up` and `down`: the cluster's folder, and functions for its processes.
# shellcheck shell=bash
cluster=${RUNNER_CLUSTER_DIR:-/tmp/runner-backendai}   # must be short: it contains unix sockets
export DOCKER_HOST=unix://$cluster/run/docker.sock

. "$(dirname "${BASH_SOURCE[0]}")/../processes.sh"
