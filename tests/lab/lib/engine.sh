# The container engine: the machine's own when one answers, else one of ours that changes nothing of the machine's
# network. Sourced, never run.

own_socket=$lab_dir/socket

engine_answers() {
    if [ -S "$own_socket" ]; then
        export DOCKER_HOST=unix://$own_socket
    fi
    docker info >/dev/null 2>&1
}

engine_is_ours() { [ "${DOCKER_HOST:-}" = "unix://$own_socket" ]; }

engine_up() {
    install_missing docker=docker.io dockerd=docker.io ip=iproute2
    engine_answers && return
    # Installed just now, and started by the package.
    unset DOCKER_HOST
    docker info >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || die "run as root: no container engine answers, and root alone can start one"
    export DOCKER_HOST=unix://$own_socket
    # Not iptables: every network of the lab is one between this machine and its containers, whose published ports a
    # process of the engine passes on.
    setsid dockerd --data-root "$lab_dir/data" --exec-root "$lab_dir/exec" -H "$DOCKER_HOST" --pidfile "$lab_dir/pid" \
        --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        --default-address-pool "base=$lab_pool,size=26" \
        </dev/null >"$lab_dir/log" 2>&1 3>&- &
    wait_for 60 "the container engine" docker info && return
    tail "$lab_dir/log" >&2
    exit 1
}

engine_down() {
    local pid
    pid=$(cat "$lab_dir/pid" 2>/dev/null) || pid=
    # An old file may name a process that is not ours.
    if [ -n "$pid" ] && grep -qz dockerd "/proc/$pid/cmdline" 2>/dev/null; then
        kill "$pid"
        wait_for 30 "the end of the container engine" has_ended "$pid"
    fi
    # Also after an engine that was killed, or a machine that lost power.
    mount_points | while read -r point; do umount "$point" || true; done
    bridge_down
    [ ! -d "$lab_dir/data" ] || project_bridges | xargs -r -n 1 ip link delete
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

# What an engine of ours has left of the networks of projects: only this lab has addresses there.
project_bridges() { ip -o -4 address show | awk -v range="${lab_pool%0.0/16}" 'index($4, range) == 1 && $2 ~ /^br-/ { print $2 }'; }

# systemd in a container mounts the control groups of the first version that this machine has not mounted. The engine takes
# what it cannot find for a mistake, and measures no container from then on: it shall find them.
control_groups_up() {
    local controllers
    { [ "$(id -u)" = 0 ] && ! grep -q ' /sys/fs/cgroup cgroup2 ' /proc/mounts; } || return 0
    cut -d : -f 2 /proc/self/cgroup | while read -r controllers; do
        case $controllers in '' | name=*) continue ;; esac
        ! has_control_group "$controllers" || continue
        mkdir -p "$lab_dir/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "$lab_dir/cgroup/$controllers"
    done
}

has_control_group() {
    awk -v wanted=",$1," '$3 == "cgroup" && index("," $4 ",", wanted) { found = 1 } END { exit !found }' /proc/mounts
}

# What the engine has left mounted, innermost first.
mount_points() { awk -v dir="$lab_dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r; }

network_up() {
    docker network inspect "$lab_network" >/dev/null 2>&1 && return
    bridge_down
    # Internal: this machine reaches the container, and the container reaches nothing else.
    docker network create --internal --subnet "$lab_subnet" --opt com.docker.network.bridge.name="$lab_bridge" \
        "$lab_network" >/dev/null
}

# One that was left would have the route to the container.
bridge_down() { [ ! -e "/sys/class/net/$lab_bridge" ] || ip link delete "$lab_bridge"; }

network_down() { docker network rm "$lab_network" >/dev/null 2>&1 || true; }
