# SPDX-License-Identifier: ISC
# Install Node.js and packages from npm, once, into a folder outside the source.
# tests/vendure/run, tests/clients/run and tests/graphql/run source this file,
# set
#
#   here   the folder with package.json and package-lock.json
#   name   the name of the test folder
#   what   what is tested, for messages
#   root   the source folder
#
# and call prepare_npm, which sets node, packages and POSTERN_BUILD. If npm
# cannot be reached, it prints so and exits with status 77 (skipped), or 1 if CI
# is set. The packages run no install scripts.
# shellcheck shell=bash disable=SC2154

npm_node=22.23.3 # installed if Node.js is missing or too old
node_oldest=20
partial=         # the folder of an unfinished installation

npm_quietly()
{
    timeout -k 10 900 npm "$@" --ignore-scripts --no-audit --no-fund \
        --no-update-notifier --omit-lockfile-registry-resolved=true \
        --fetch-retries=2 --fetch-retry-mintimeout=1000 \
        --fetch-retry-maxtimeout=5000 --fetch-timeout=60000 </dev/null
}

# Exit because of this reason: skipped if npm cannot be reached, else failed.
exit_without_tests()
{
    local status=1

    if ! npm_quietly view graphql version >/dev/null 2>&1; then
        echo "************************************************************"
        echo "npm cannot be reached: NO TEST WAS RUN with $what."
        echo "************************************************************"
        [[ ${CI:-} ]] || status=77
    fi
    echo "tests/$name/run: $1"
    [[ $status -eq 77 ]] || echo "0 passed, 1 failed"
    exit "$status"
} >&2

clean_up()
{
    [[ ! $partial ]] || rm -rf "$partial"
}

# Rename the finished installation into the cache. The rename is atomic, because
# another process may do the same.
move_to_cache()
{
    mv -T "$partial" "$1" 2>/dev/null || [[ -d $1 ]] || return 1
    clean_up
    partial=
}

is_new_enough()
{
    local version

    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    [[ ${version%%.*} -ge $node_oldest ]]
}

# Find Node.js, or install it from npm: Debian 12 has an older version.
find_node()
{
    local arch folder

    node=$(command -v node)
    ! is_new_enough "$node" || return 0
    case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) exit_without_tests "needs Node.js $node_oldest or later" ;;
    esac
    folder=$cache/node-$npm_node-$arch
    node=$folder/node_modules/node-linux-$arch/bin/node
    ! is_new_enough "$node" || return 0
    echo "installing Node.js $npm_node into $folder ..."
    partial=$(mktemp -d "$cache/.new.XXXXXX")
    if ! npm_quietly install --prefix "$partial" \
        "node-linux-$arch@$npm_node" ||
        ! move_to_cache "$folder" || ! is_new_enough "$node"; then
        exit_without_tests "could not install Node.js $npm_node"
    fi
}

find_packages()
{
    packages=$cache/$(cat "$here/package.json" "$here/package-lock.json" |
        sha256sum | cut -c 1-16)
    [[ ! -d $packages ]] || return 0
    echo "installing $what into $packages ..."
    partial=$(mktemp -d "$cache/.new.XXXXXX")
    cp "$here/package.json" "$here/package-lock.json" "$partial/"
    if ! npm_quietly ci --prefix "$partial" || ! move_to_cache "$packages"; then
        exit_without_tests "could not install the packages of package-lock.json"
    fi
}

# prepare_npm CACHE installs the packages into CACHE.
prepare_npm()
{
    cache=$1
    if [[ ! -x ${POSTERN_BUILD:-$root/build}/bin/postern ]]; then
        echo "tests/$name/run: POSTERN_BUILD must be a build folder: there is no bin/postern" >&2
        exit 64
    fi
    POSTERN_BUILD=$(cd "${POSTERN_BUILD:-$root/build}" && pwd)
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    if ! command -v npm >/dev/null; then
        "$root/demo/packages" vendure || exit_without_tests "npm is missing"
    fi
    mkdir -p "$cache" || exit 1
    find_node
    find_packages
}
