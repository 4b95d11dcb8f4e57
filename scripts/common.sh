# SPDX-License-Identifier: Apache-2.0
# What the scripts share: where the project is, missing packages, the build. Sourced by bash scripts.

kcf_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

kcf_say() { printf '%s\n' "$*" >&2; }
kcf_die() { kcf_say "${0##*/}: $*"; exit 1; }

# Install what is missing of the groups named ("build", "test"). root, or sudo.
kcf_packages() {
	local group name missing=() as_root=()
	while read -r group name; do
		case " $* " in *" ${group%/*} "*) ;; *) continue ;; esac
		case $group in */*) [ "${group#*/}" = "$(dpkg --print-architecture)" ] || continue ;; esac
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
	done < <(grep -v '^#' "$kcf_top/scripts/packages")
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || kcf_die "this is not Debian: install ${missing[*]} by hand, then run again"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || kcf_die "missing packages and no sudo: as root run: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	kcf_say "installing: ${missing[*]}"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
		apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 ||
		{ apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "$@" >/dev/null; }' \
		sh "${missing[@]}" || kcf_die "apt-get could not install: ${missing[*]}"
}

# kcf_build DIR [meson options...]: configure once, build always; quiet unless it fails.
kcf_build() {
	local dir=$1 log
	shift
	log=$(mktemp "${TMPDIR:-/tmp}/kcf-build.XXXXXX")
	if [ ! -f "$dir/build.ninja" ]; then
		meson setup "$dir" "$kcf_top" "$@" >"$log" 2>&1 ||
			{ cat "$log" >&2; rm -f "$log"; kcf_die "meson setup $dir failed"; }
	fi
	ninja -C "$dir" >"$log" 2>&1 || { tail -n 60 "$log" >&2; rm -f "$log"; kcf_die "building $dir failed"; }
	rm -f "$log"
}
