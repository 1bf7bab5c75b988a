# SPDX-License-Identifier: ISC
# Node.js and packages from npm, fetched once into a folder outside the tree.
# Sourced by tests/vendure/run, tests/clients/run and tests/graphql/run, which
# set
#
#   here   the folder with package.json and package-lock.json
#   name   what the cache's folder is called
#   what   what is tested, for messages
#   root   the source tree
#
# and call prepare_npm, which sets node, packages and POSTERN_BUILD. If npm
# cannot be reached it says so and ends with status 77, which means skipped;
# but 1 where CI is set. What is fetched runs no scripts of its own.
# shellcheck shell=bash disable=SC2154

spare_node=22.23.3 # where there is none, or one that the packages are too new for
node_oldest=20
fetched=           # what is being fetched, and is nothing yet

npm_quietly()
{
    timeout -k 10 900 npm "$@" --ignore-scripts --no-audit --no-fund \
        --no-update-notifier --omit-lockfile-registry-resolved=true \
        --fetch-retries=2 --fetch-retry-mintimeout=1000 \
        --fetch-retry-maxtimeout=5000 --fetch-timeout=60000 </dev/null
}

# No tests, for this reason. Whose fault it is, npm is asked once more.
no_tests()
{
    local status=1

    if ! npm_quietly view graphql version >/dev/null 2>&1; then
        echo "************************************************************"
        echo "npm cannot be reached: NOTHING WAS TESTED against $what."
        echo "************************************************************"
        [[ ${CI:-} ]] || status=77
    fi
    echo "tests/$name/run: $1"
    [[ $status -eq 77 ]] || echo "0 passed, 1 failed"
    exit "$status"
} >&2

clean_up()
{
    [[ ! $fetched ]] || rm -rf "$fetched"
}

# Fill a folder of the cache, in one stroke: others may be doing the same.
keep_as()
{
    mv -T "$fetched" "$1" 2>/dev/null || [[ -d $1 ]] || return 1
    clean_up
    fetched=
}

is_good_node()
{
    local version

    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    [[ ${version%%.*} -ge $node_oldest ]]
}

# Debian 12's own is too old for them; npm has a newer one as a package.
find_node()
{
    local arch folder

    node=$(command -v node)
    ! is_good_node "$node" || return 0
    case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) no_tests "needs Node.js $node_oldest or later" ;;
    esac
    folder=$cache/node-$spare_node-$arch
    node=$folder/node_modules/node-linux-$arch/bin/node
    ! is_good_node "$node" || return 0
    echo "fetching Node.js $spare_node into $folder ..."
    fetched=$(mktemp -d "$cache/.new.XXXXXX")
    if ! npm_quietly install --prefix "$fetched" \
        "node-linux-$arch@$spare_node" ||
        ! keep_as "$folder" || ! is_good_node "$node"; then
        no_tests "could not install Node.js $spare_node"
    fi
}

find_packages()
{
    packages=$cache/$(cat "$here/package.json" "$here/package-lock.json" |
        sha256sum | cut -c 1-16)
    [[ ! -d $packages ]] || return 0
    echo "fetching $what into $packages ..."
    fetched=$(mktemp -d "$cache/.new.XXXXXX")
    cp "$here/package.json" "$here/package-lock.json" "$fetched/"
    if ! npm_quietly ci --prefix "$fetched" || ! keep_as "$packages"; then
        no_tests "could not install what package-lock.json lists"
    fi
}

# prepare_npm CACHE: where the packages are kept.
prepare_npm()
{
    cache=$1
    if [[ ! -x ${POSTERN_BUILD:-$root/build}/bin/postern ]]; then
        echo "tests/$name/run: POSTERN_BUILD names no build" >&2
        exit 64
    fi
    POSTERN_BUILD=$(cd "${POSTERN_BUILD:-$root/build}" && pwd)
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    if ! command -v npm >/dev/null; then
        "$root/demo/packages" vendure || no_tests "npm is missing"
    fi
    mkdir -p "$cache" || exit 1
    find_node
    find_packages
}
