#!/usr/bin/env bash
# House rules that a machine can check; see CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."

swift format lint --strict --recursive --parallel Sources Tests Fuzz Package.swift

fail() {
  echo "lint: $1" >&2
  exit 1
}
! grep -rn 'import Foundation' Sources/CleanCLIP{Files,Kit,C} Sources/ONNXGraphs ||
  fail "Foundation in the library costs 60 MB; import Glibc"
! grep -rnE 'try!|as!|nonisolated\(unsafe\)' Sources --include='*.swift' ||
  fail "forced operations trap in the host's process; throw a CLIPError"
! grep -rnE '(^|[^[:alnum:]_.])print\(' Sources/CleanCLIP{Files,Kit,C} Sources/ONNXGraphs --include='*.swift' ||
  fail "the library does not print; return the text or call back"

# Words for which the field has others; docs/glossary.md explains those that are the house's own.
words='pictures?|data sets?|sound (model|checkpoint|tower|image|subject|file)s?|held-back|hears? of'
words+='|what is no failure|(told|hears) nobody|goes? on from|to go on|augmented twins?|sound twins?'
words+='|the poisons|of poisons|reads? (as|images of anything as) .?.?.?(the|one|")|leads? to|speak of'
words+='|pairs of the result|as the towers? gives? them'
words+='|(of )?unit[ -]length|unit (rows|features)|to anywhere|class by class|one by one|cut square'
words+='|passes over the data|images of a step|behind each other|remake|pressure|mistake in the'
words+='|shares? of|(a|the|this|high|counted) shares?|files? that lies?|tensors? lies?'
# Nouns, prompts and file names that a user or a dataset has.
own='CommonNouns.swift|PoisonOptions.swift|draw-scenes'
public=(include docs README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md bindings examples Sources)
found=$(grep -rnwiE "$words" "${public[@]}" --include='*.h' --include='*.hpp' --include='*.md' \
  --include='*.py' --include='*.swift' --include='*.c' --include='*.cpp' | grep -vE "$own") || true
[ -z "$found" ] || {
  echo "$found"
  fail "words of the field, not the house's: see docs/glossary.md"
}

# One version, which the header repeats for compilers.
version=$(cat VERSION)
IFS=. read -r major minor patch <<< "$version"
for line in "VERSION_MAJOR $major" "VERSION_MINOR $minor" "VERSION_PATCH $patch" "VERSION_STRING \"$version\""; do
  grep -qx "#define CLEANCLIP_$line" include/cleanclip/version.h ||
    fail "include/cleanclip/version.h is not of version $version, which the file VERSION has"
done

! git grep -nE '^(<{7}|>{7})( |$)' -- . || fail "a merge left its markers behind"

# Keys of random streams are four letters: a key of two streams would draw the same numbers in both.
letter='[67][0-9a-f]'
twice=$(grep -rhoiE "0x$letter${letter}_$letter$letter\b" Sources/CleanCLIPKit --include='*.swift' |
  tr '[:upper:]' '[:lower:]' | sort | uniq -d)
[ -z "$twice" ] || fail "the stream keys $twice stand twice; give each stream a key of its own"

python3 scripts/arrows.py || fail "folders of the engine use each other in a circle; move a type down"
