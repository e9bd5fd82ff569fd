#!/bin/sh
# Writes the vendored files again from their npm packages. PROVENANCE.md says which, and what their checksums are; npm is
# asked for the packages the way it is configured on this machine. Needs npm, tar, gzip and sha256sum or shasum.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# The rows of the table that end in a checksum, without their bars.
sed -n '/| [0-9a-f]\{64\} |$/s/|/ /gp' "$here/PROVENANCE.md" >files
# Unpacks every package once.
cut -c 2- files | while read -r package version _; do
    [ -d "unpacked/$package" ] && continue
    mkdir -p "unpacked/$package"
    tar -xzf "$(npm pack --silent --ignore-scripts "$package@$version")" -C "unpacked/$package"
done
# Nothing is written before everything has been compared.
while read -r package version source name licence checksum; do
    found=$(sha256 "unpacked/$package/package/$source")
    if [ "$found" != "$checksum" ]; then
        echo "$package@$version ($licence): $source has the checksum $found, PROVENANCE.md says $checksum." >&2
        exit 1
    fi
done <files
while read -r package version source name licence checksum; do
    case $name in
        *.gz) gzip -9 -n -c "unpacked/$package/package/$source" >"$here/$name" ;;
        *) cp "unpacked/$package/package/$source" "$here/$name" ;;
    esac
done <files
