# The host container. Sourced, never run.

ssh_dir=$lab_dir/ssh

inside() { docker exec -i "$lab_container" "$@"; }

host_up() {
    install_missing ssh=openssh-client curl=curl
    if ! host_is_current; then
        host_down
        host_start
    fi
    ssh_up
    host_ready
    control_groups_up
}

# Whether the container that runs is one of the image as it is now.
host_is_current() {
    [ "$(docker container inspect -f '{{.State.Running}} {{.Image}}' "$lab_container" 2>/dev/null)" \
        = "true $(docker image inspect -f '{{.Id}}' "$lab_image:latest")" ]
}

host_start() {
    network_up
    # What systemd needs as PID 1 without --privileged; NET_ADMIN is for the firewall of the container, not ours; and with
    # SYS_PTRACE its root sees the sockets of others, as the root of any server does.
    docker run -d --name "$lab_container" --hostname marb --network "$lab_network" --add-host "$lab_domain:127.0.0.1" \
        --add-host www.marb.test:127.0.0.1 \
        --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs /run --tmpfs /run/lock --tmpfs /tmp:exec \
        --stop-signal SIGRTMIN+3 --dns-opt timeout:1 --dns-opt attempts:1 "$lab_image:latest" >/dev/null
}

host_down() {
    local id
    id=$(docker container inspect -f '{{.Id}}' "$lab_container" 2>/dev/null) || return 0
    docker rm -f -v "$lab_container" >/dev/null
    # systemd made control groups below the container's own, and the engine removes only its own.
    find /sys/fs/cgroup -depth -type d -path "*$id*" -exec rmdir {} \; 2>/dev/null || true
}

# A key of the lab's own: nothing of the user's SSH is read or changed.
ssh_up() {
    local address
    mkdir -p "$ssh_dir"
    chmod 700 "$ssh_dir"
    [ -f "$ssh_dir/key" ] || ssh-keygen -q -t ed25519 -N '' -C runbook-lab -f "$ssh_dir/key"
    inside sh -c 'cat >/etc/ssh/authorized_keys' <"$ssh_dir/key.pub"
    address=$(host_address)
    inside cat /srv/lab/acme/ca.pem >"$lab_dir/ca.pem"
    inside cat /etc/ssh/ssh_host_ed25519_key.pub | sed "s/^/$address /" >"$ssh_dir/known"
    cat >"$ssh_dir/config" <<END
Host runbook-lab
    User root

Host runbook-lab-marb
    User marb

Host runbook-lab runbook-lab-marb
    HostName $address
    IdentityFile $ssh_dir/key
    IdentitiesOnly yes
    UserKnownHostsFile $ssh_dir/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
END
}

host_address() {
    docker container inspect -f "{{(index .NetworkSettings.Networks \"$lab_network\").IPAddress}}" "$lab_container"
}

# Ready is what answers, not what was started.
host_ready() {
    wait_for 60 "the start of systemd" inside systemctl list-jobs
    inside timeout 60 systemctl is-system-running --wait >/dev/null || { inside systemctl --failed --no-pager; exit 1; }
    wait_for 30 PostgreSQL inside runuser -u postgres -- psql -qAtc 'SELECT 1'
    wait_for 30 Redis inside env REDISCLI_AUTH=lab-redis-password redis-cli -e ping
    wait_for 30 nginx curl -fsS -o /dev/null "http://$(host_address)/lab"
    wait_for 30 "the certificate authority" inside curl -fsS http://127.0.0.1:14000/directory
    wait_for 30 sshd ssh -F "$ssh_dir/config" -o BatchMode=yes -o ConnectTimeout=5 runbook-lab true
}

variables() {
    local address
    address=$(host_address)
    ! engine_is_ours || echo "export DOCKER_HOST=$DOCKER_HOST"
    cat <<END
export RUNBOOK_LAB_CONTAINER=$lab_container
export RUNBOOK_LAB_ADDRESS=$address
export RUNBOOK_LAB_SSH=runbook-lab
export RUNBOOK_LAB_SSH_MARB=runbook-lab-marb
export RUNBOOK_LAB_SSH_CONFIG=$ssh_dir/config
export RUNBOOK_LAB_SSH_KEY=$ssh_dir/key
export RUNBOOK_LAB_SSH_PORT=22
export RUNBOOK_LAB_DOMAIN=$lab_domain
export RUNBOOK_LAB_CA=$lab_dir/ca.pem
export RUNBOOK_LAB_HTTP=http://$address
export RUNBOOK_LAB_HTTPS=https://$address
export RUNBOOK_LAB_POSTGRES=postgresql://lab_admin:lab-admin-password@$address:5432/postgres
export RUNBOOK_LAB_REDIS=redis://:lab-redis-password@$address:6379/0
END
}
