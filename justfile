# gk: every chore of the house. `just` lists them; `./bootstrap RECIPE` first installs what a recipe needs.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

jobs := `nproc`

# list the recipes by group
@default:
    just --list --unsorted

# ---- build

# build every program into build/bin/, for release
[group('build')]
build:
    cmake --preset release -DGK_TESTS=OFF > /dev/null
    cmake --build build -j {{jobs}}

_release targets:
    cmake --preset release -DGK_TESTS=ON > /dev/null
    cmake --build build -j {{jobs}} --target {{targets}}

# build programs and tests, for release
[group('build')]
build-all:
    cmake --preset release -DGK_TESTS=ON > /dev/null
    cmake --build build -j {{jobs}}

# build one preset: dev, asan, tsan, coverage, fuzz
[group('build')]
preset name:
    cmake --preset {{name}} > /dev/null
    cmake --build build/{{name}} -j {{jobs}}

# remove everything built
[group('build')]
clean:
    rm -rf build

# configure again from nothing and build, with the time it took
[group('build')]
rebuild: clean
    time CCACHE_DISABLE=1 just build

# install programs, units, pages and completions below DESTDIR and PREFIX
[group('build')]
install prefix='/usr/local' destdir='': build
    packaging/install '{{prefix}}' '{{destdir}}'

# ---- run

# start two instances, send real mail in, across and out, read it back, and stay up (--once: stop then)
[group('run')]
demo *args: build
    /usr/bin/python3 tests/demo/demo.py "$@"

# start gk in DIR on ports PORT_BASE + the standard ports (initialises DIR first)
[group('run')]
up dir='/tmp/gk' port_base='20000': build
    test -f '{{dir}}/gk.toml' || build/bin/gk-config init --root '{{dir}}' --hostname "$(hostname -f)"
    build/bin/gk-up --root '{{dir}}' --port-base {{port_base}}

# ---- test

# all that CI runs; or one label: unit, protocol, e2e, crash, fuzz, house
[group('test')]
test label='':
    tests/run "$@"

# what takes long: everything labelled slow
[group('test')]
slow *args: (_release 'programs smtpload spoolfill')
    ctest --test-dir build -L slow --output-on-failure --no-tests=error "$@"

# unit tests whose names match, with their output
[group('test')]
unit pattern='': (_release 'test-programs')
    ctest --test-dir build -L unit -R '{{pattern}}' --output-on-failure

# transcripts against the real programs
[group('test')]
protocol: (_release 'programs smtpload spoolfill')
    ctest --test-dir build -L protocol --output-on-failure

# end-to-end tests with real clients and peers
[group('test')]
e2e pattern='': (_release 'programs smtpload spoolfill')
    ctest --test-dir build -L e2e -LE slow -R '{{pattern}}' --output-on-failure

# kill, full disk and failing fsync at every step of a delivery
[group('test')]
crash: (_release 'programs smtpload spoolfill')
    ctest --test-dir build -L crash -LE slow --output-on-failure

# unit tests under ASan and UBSan
[group('test')]
asan pattern='':
    tests/sanitized -R '{{pattern}}'

# unit tests under TSan
[group('test')]
tsan pattern='':
    cmake --preset tsan > /dev/null
    cmake --build build/tsan -j {{jobs}} --target test-programs
    ctest --test-dir build/tsan -L unit -R '{{pattern}}' --output-on-failure -j {{jobs}}

# line coverage of common/ by the unit tests
[group('test')]
coverage:
    cmake --preset coverage > /dev/null
    cmake --build build/coverage -j {{jobs}} --target test-programs
    ctest --test-dir build/coverage -L 'unit|fuzz' --output-on-failure -j {{jobs}}
    gcovr --root . --filter common/ --gcov-ignore-parse-errors --exclude-throw-branches -j {{jobs}} --print-summary build/coverage | tail -n 60

# fuzz one target for some seconds: just fuzz smtp_command 600
[group('test')]
fuzz name seconds='60':
    cmake --preset fuzz > /dev/null
    cmake --build build/libfuzzer -j {{jobs}} --target fuzz_{{name}}
    mkdir -p build/libfuzzer/corpus/{{name}}
    build/libfuzzer/fuzz/fuzz_{{name}} -max_total_time={{seconds}} -rss_limit_mb=2048 -timeout=10 -artifact_prefix=build/libfuzzer/ build/libfuzzer/corpus/{{name}} tests/fuzz/corpus/{{name}}

# every fuzz target for some seconds each
[group('test')]
fuzz-all seconds='60':
    for f in tests/fuzz/*_fuzz.cpp; do n=$(basename "$f" _fuzz.cpp); just fuzz "$n" {{seconds}}; done

# the names of the fuzz targets
[group('test')]
fuzz-list:
    @ls tests/fuzz/*_fuzz.cpp | xargs -n1 basename | sed 's/_fuzz.cpp//'

# ---- measure

# run a benchmark against peers: just bench smtp --rounds 5
[group('measure')]
bench name *args: (_release 'programs smtpload authload imapload idleload spoolfill aliasload')
    shift; /usr/bin/python3 bench/{{name}} "$@"

# the programs' sizes
[group('measure')]
sizes: build
    ls -l --block-size=K build/bin | awk 'NF>5 {print $5, $9}' | sort -n

# lines of code by place
[group('measure')]
lines:
    for d in common/* cmd tests bench; do printf '%7d %s\n' "$(find $d -name '*.[ch]pp' -o -name '*.py' | xargs -r cat | wc -l)" $d; done

# ---- check

# formatting, lints, pages, scripts
[group('check')]
check: check-format check-scripts check-man house

# the house's rules: floors, headers, pages, completions, units
[group('check')]
house: (_release 'programs smtpload spoolfill')
    ctest --test-dir build -L house --output-on-failure

# does every file follow .clang-format?
[group('check')]
check-format:
    git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror 2>&1 | head -20

# format every file
[group('check')]
format:
    git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

# clang-tidy with few and strong checks
[group('check')]
tidy pattern='common/':
    cmake --preset dev > /dev/null
    run-clang-tidy -quiet -p build/dev '{{pattern}}.*cpp$'

# shell scripts
[group('check')]
check-scripts:
    shellcheck bootstrap .ci/run tests/run packaging/install

# manual pages
[group('check')]
check-man:
    for page in man/*.[1-8]; do mandoc -T lint -W warning "$page"; done

# systemd units
[group('check')]
check-units: build
    ctest --test-dir build -R units --output-on-failure

# ---- documents

# bring the generated parts of man/ in step with the programs
[group('documents')]
man: build
    tests/house/generate.py man build/bin

# bring completions/ in step with the programs
[group('documents')]
completions: build
    tests/house/generate.py completions build/bin

# read a page: just page gk-smtpd
[group('documents')]
page name:
    mandoc -a man/{{name}}.[1-8]
