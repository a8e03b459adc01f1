# The compose projects: their images, the registry, what stands in for the world outside, and the repositories. Sourced,
# never run.

stacks_dir=$lab_dir/stacks
stacks_network=runbook-lab-stacks
stacks_projects=(cleaning sbf sentinal)
# Its own, so that nobody's credentials are touched.
registry_config=$lab_dir/registry
registry_container=runbook-lab-registry
registry_volume=runbook-lab-registry
outside_container=runbook-lab-outside
# The images of the second project, each from the directory of its name.
sbf_images=(api web workers nginx)

# What an image is made of: when it changes, so does the image's tag.
made_of() { { echo "$1"; tar -c --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "${@:2}"; } | sha256sum | cut -c1-16; }

image_id() { docker image inspect -f '{{.Id}}' "$1" 2>/dev/null; }

# part_up IMAGE DOCKERFILE WHAT-IT-IS-MADE-OF : made when it is missing or older than what it is made of.
part_up() {
    local image=$1 dockerfile=$2 tag=$1:$3
    if [ -z "$(image_id "$tag")" ]; then
        say "making the image $tag"
        part_build "$tag" "$dockerfile" >"$lab_dir/$image.log" 2>&1 || { tail -n 30 "$lab_dir/$image.log" >&2; exit 1; }
    fi
    docker tag "$tag" "$image:latest"
    docker images --format '{{.Repository}}:{{.Tag}}' "$image" | grep -vxF -e "$tag" -e "$image:latest" \
        | xargs -r docker rmi >/dev/null 2>&1 || true
}

part_build() {
    local context
    context=$(mktemp -d "$lab_dir/context.XXXXXX")
    cp -r projects/parts "$context"
    cp /etc/ssl/certs/ca-certificates.crt "$context/authorities.crt" 2>/dev/null || : >"$context/authorities.crt"
    DOCKER_BUILDKIT=0 docker build --network=host --force-rm -t "$1" --build-arg "HOST=$lab_image:latest" \
        -f "$context/parts/$2" "$context"
    rm -rf -- "$context"
}

parts_up() {
    local host
    host=$(image_id "$lab_image:latest")
    part_up "$lab_parts" Dockerfile "$(made_of "$host" projects/parts/{bin,Dockerfile,requirements.txt})"
    part_up "$lab_tools" Dockerfile.tools "$(made_of "$host" projects/parts/{bin/lab-registry,tools,Dockerfile.tools})"
}

stacks_network_up() {
    docker network inspect "$stacks_network" >/dev/null 2>&1 \
        || docker network create --label runbook.lab=yes "$stacks_network" >/dev/null
}

# runs_current CONTAINER IMAGE : whether the container runs, and the image it was made of is the one of today.
runs_current() {
    [ "$(docker container inspect -f '{{.State.Running}} {{.Image}}' "$1" 2>/dev/null)" = "true $(image_id "$2")" ]
}

# service_up CONTAINER IMAGE ARGUMENTS... -- COMMAND...
service_up() {
    local container=$1 image=$2 arguments=()
    runs_current "$container" "$image" && return
    shift 2
    while [ "$1" != -- ]; do arguments+=("$1"); shift; done
    shift
    docker rm -f "$container" >/dev/null 2>&1 || true
    docker run -d --name "$container" --network "$stacks_network" "${arguments[@]}" "$image" "$@" >/dev/null
}

registry_up() {
    docker volume inspect "$registry_volume" >/dev/null 2>&1 \
        || docker volume create --label runbook.lab=yes "$registry_volume" >/dev/null
    service_up "$registry_container" "$lab_tools:latest" -p "127.0.0.1:${lab_registry#*:}:5000" \
        -v "$registry_volume:/var/lib/docker-registry" \
        -e REGISTRY_USER="$lab_registry_user" -e REGISTRY_PASSWORD="$lab_registry_password" -- lab-registry
    wait_for 30 "the registry" registry /v2/
    mkdir -p "$registry_config"
    in_registry login -u "$lab_registry_user" --password-stdin "$lab_registry" <<<"$lab_registry_password" >/dev/null 2>&1
}

# registry PATH [ARGUMENT OF CURL]...
registry() {
    curl -fsS --max-time 10 -K - "${@:2}" "http://$lab_registry$1" <<<"user = \"$lab_registry_user:$lab_registry_password\""
}
in_registry() { docker --config "$registry_config" "$@"; }

outside_up() {
    service_up "$outside_container" "$lab_parts:latest" -- lab-outside
    wait_for 30 "what stands in for the world outside" curl -fsS "$(outside_address)/received"
}

outside_address() {
    echo "http://$(docker container inspect -f "{{(index .NetworkSettings.Networks \"$stacks_network\").IPAddress}}" \
        "$outside_container"):8080"
}

repositories_up() {
    local project repository
    mkdir -p "$stacks_dir"
    for project in "${stacks_projects[@]}"; do
        repository=$(mktemp -d "$stacks_dir/$project.XXXXXX")
        projects/history "$project" "$repository"
        # In place at once, and only when it says something new: somebody may be reading it.
        if ! diff -q "$repository/packed-refs" "$stacks_dir/$project.git/packed-refs" >/dev/null 2>&1; then
            rm -rf -- "$stacks_dir/$project.git"
            chmod 755 "$repository"
            mv -- "$repository" "$stacks_dir/$project.git"
        fi
        rm -rf -- "$repository"
    done
}

# Every release of the second project, as the registry of a team would have them.
releases_up() {
    local made
    made=made-of-$(made_of "$(image_id "$lab_parts:latest")" projects/sbf projects/history)
    ! registry "/v2/sbf/api/manifests/$made" >/dev/null 2>&1 || return 0
    say "filling the registry"
    releases_push "$made" >"$lab_dir/registry.log" 2>&1 || { tail -n 30 "$lab_dir/registry.log" >&2; exit 1; }
}

releases_push() {
    local release image tree
    local -A made
    while read -r release; do
        for image in "${sbf_images[@]}"; do
            # Most releases have most of their images in common.
            tree=$(git -C "$stacks_dir/sbf.git" rev-parse "$release:$image")
            if [ -n "${made[$image $tree]:-}" ]; then
                docker tag "$lab_registry/sbf/$image:${made[$image $tree]}" "$lab_registry/sbf/$image:$release"
            else
                made[$image $tree]=$release
                git -C "$stacks_dir/sbf.git" archive "$tree" \
                    | DOCKER_BUILDKIT=0 docker build -q -t "$lab_registry/sbf/$image:$release" -
            fi
        done
    done < <(git -C "$stacks_dir/sbf.git" tag)
    for image in "${sbf_images[@]}"; do in_registry push -q --all-tags "$lab_registry/sbf/$image"; done
    retag v1 latest "${sbf_images[@]}"
    for release in hotfix unhealthy; do
        retag "$release" "hotfix-$(git -C "$stacks_dir/sbf.git" rev-parse "$release")" api
    done
    retag v1 "$1" api
    # What is pulled later shall come from the registry.
    docker images --format '{{.Repository}}:{{.Tag}}' | grep "^$lab_registry/sbf/" | xargs -r docker rmi
}

# retag FROM TO IMAGE...
retag() {
    local image
    for image in "${@:3}"; do publish_image "sbf/$image" "$1" "sbf/$image" "$2"; done
}

# publish RELEASE PREFIX [TAG] : the images of a release under another name, as when a team's pipeline has run.
publish() {
    local image name=${2#"$lab_registry/"}
    for image in "${sbf_images[@]}"; do publish_image "sbf/$image" "$1" "$name/$image" "${3:-latest}"; done
}

# publish_image NAME TAG NAME TAG : within the registry, so that the engine's own images and tags are as they were.
publish_image() {
    local kind=application/vnd.docker.distribution.manifest.v2+json manifest blob
    manifest=$(mktemp)
    registry "/v2/$1/manifests/$2" -H "Accept: $kind" -o "$manifest"
    if [ "$1" != "$3" ]; then
        for blob in $(jq -r '.config.digest, .layers[].digest' "$manifest" | sort -u); do
            registry "/v2/$3/blobs/uploads/?mount=$blob&from=$1" -X POST -o /dev/null
        done
    fi
    registry "/v2/$3/manifests/$4" -X PUT -H "Content-Type: $kind" --data-binary "@$manifest"
    rm -f -- "$manifest"
}

stacks_up() {
    install_missing git=git curl=curl jq=jq
    compose_up
    parts_up
    stacks_network_up
    registry_up
    outside_up
    repositories_up
    releases_up
}

# Everything that carries the lab's label: what the tests have left as well. The images stay when asked for.
stacks_down() {
    docker ps -aq --filter label=runbook.lab=yes | xargs -r docker rm -f -v >/dev/null
    docker network ls -q --filter label=runbook.lab=yes | xargs -r docker network rm >/dev/null
    if [ "${1:-}" = --keep-image ]; then
        docker volume ls -q --filter label=runbook.lab=yes | { grep -vxF "$registry_volume" || true; } \
            | xargs -r docker volume rm >/dev/null
    else
        docker volume ls -q --filter label=runbook.lab=yes | xargs -r docker volume rm >/dev/null
        docker images -q --filter label=runbook.lab=yes | sort -u | xargs -r docker rmi -f >/dev/null 2>&1 || true
    fi
    rm -rf -- "$stacks_dir" "$registry_config"
}

stacks_variables() {
    ! engine_is_ours || echo "export DOCKER_HOST=$DOCKER_HOST"
    cat <<END
export RUNBOOK_LAB_STACKS=$stacks_dir
export RUNBOOK_LAB_REGISTRY=$lab_registry
export RUNBOOK_LAB_REGISTRY_USER=$lab_registry_user
export RUNBOOK_LAB_REGISTRY_PASSWORD=$lab_registry_password
export RUNBOOK_LAB_OUTSIDE=$(outside_address)
END
}
