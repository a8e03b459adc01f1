# The image of the host container. Sourced, never run.

# What the image is made of: when it changes, so does the image's tag.
image_tag() { tar -c --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner host app lib/image.sh | sha256sum | cut -c1-16; }

image_up() {
    local tag
    tag=$lab_image:$(image_tag)
    if [ -z "$(docker images -q "$tag")" ]; then
        base_up
        say "making the image $tag"
        image_build "$tag" >"$lab_dir/image.log" 2>&1 || { tail -n 30 "$lab_dir/image.log" >&2; exit 1; }
    fi
    docker tag "$tag" "$lab_image:latest"
    forget_older "$tag"
}

# The old builder, which every engine from 20.10 on has without a plug-in.
image_build() {
    local context
    context=$(mktemp -d "$lab_dir/context.XXXXXX")
    cp -r host app "$context"
    # Where a proxy signs anew what it reads, its authority is among the machine's own: pip alone needs it, at build time.
    cp /etc/ssl/certs/ca-certificates.crt "$context/authorities.crt" 2>/dev/null || : >"$context/authorities.crt"
    DOCKER_BUILDKIT=0 docker build --network=host --force-rm -t "$1" --build-arg "BASE=$lab_base" \
        -f "$context/host/Dockerfile" "$context"
    rm -rf -- "$context"
}

# From a registry when one answers soon, else from Debian's own archive.
base_up() {
    [ -z "$(docker images -q "$lab_base")" ] || return 0
    if timeout 60 docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
        docker tag debian:bookworm-slim "$lab_base"
        docker rmi debian:bookworm-slim >/dev/null
        return
    fi
    [ "$(id -u)" = 0 ] || die "run as root: no registry answers, and root alone can make the base image"
    install_missing debootstrap=debootstrap
    say "no registry answers: making $lab_base with debootstrap"
    local root
    root=$(mktemp -d "$lab_dir/root.XXXXXX")
    debootstrap --variant=minbase bookworm "$root" >"$lab_dir/debootstrap.log" \
        || { tail "$lab_dir/debootstrap.log" >&2; exit 1; }
    rm -rf -- "$root"/var/cache/apt/archives/*.deb
    tar -C "$root" -c . | docker import - "$lab_base" >/dev/null
    rm -rf -- "$root"
}

forget_older() {
    docker images --format '{{.Repository}}:{{.Tag}}' "$lab_image" | grep -vxF -e "$1" -e "$lab_image:latest" \
        | xargs -r docker rmi >/dev/null 2>&1 || true
}

image_down() {
    { docker images --format '{{.Repository}}:{{.Tag}}' "$lab_image"; echo "$lab_base"; } \
        | xargs -r docker rmi -f >/dev/null 2>&1 || true
}
