# Compose v2, which Debian 12 does not have. Sourced, never run.

# From the package of Debian 13, which runs on Debian 12; by apt, which checks the archive's signature. Only the plug-in is
# taken out of it, so that nothing of Debian 13 is installed.
compose_up() {
    docker compose version >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || die "run as root: Compose v2 must be installed"
    say "installing Compose v2"
    local work mirror options
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Release: bookworm' 2>/dev/null | head -n 1)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} trixie main" \
        >"$work/sources.list"
    options=(-qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
        -o "Dir::Cache=$work" -o APT::Sandbox::User=root -o Acquire::Languages=none)
    apt-get "${options[@]}" update
    (cd "$work" && apt-get "${options[@]}" download docker-compose && dpkg-deb -x docker-compose_*.deb root)
    install -D -m 755 "$work/root/usr/libexec/docker/cli-plugins/docker-compose" \
        /usr/local/libexec/docker/cli-plugins/docker-compose
    rm -rf -- "$work"
    docker compose version >/dev/null
}
