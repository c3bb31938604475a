# SPDX-License-Identifier: Apache-2.0
# The two commands a newcomer needs are `make demo` and `make test`; each installs what
# it needs (Debian, root), builds, and runs. The build itself is meson's.

BUILD ?= build
MESON_OPTIONS ?= -Dnative=true
PYTHON := /usr/bin/python3

# What each package is for is said in README.md, "Dependencies".
BUILD_PACKAGES := build-essential pkg-config meson ninja-build libdpdk-dev libyaml-dev libevent-dev \
	libjansson-dev libcurl4-openssl-dev libmnl-dev libcap-dev libsystemd-dev libcmocka-dev
TEST_PACKAGES := iproute2 ethtool iputils-ping tcpdump curl iperf3 bind9-dnsutils python3 python3-pytest python3-pytest-timeout python3-scapy \
	clang libclang-rt-14-dev procps
BENCH_PACKAGES := dpdk dpdk-dev librsvg2-bin
DEB_PACKAGES := debhelper dpkg-dev fakeroot

.PHONY: all build demo test unit integration fuzz sanitize bench bench-quick deb install clean \
	build-packages test-packages bench-packages deb-packages

all: build

# Installs only what is missing, so that a machine which has everything needs no network.
define need
	@missing=; for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >$(CURDIR)/.packages.log 2>&1 \
			|| { cat $(CURDIR)/.packages.log; echo "could not install:$$missing (run as root on Debian 12)"; exit 1; }; \
		rm -f $(CURDIR)/.packages.log; \
	fi
endef

build-packages:
	$(call need,$(BUILD_PACKAGES))
test-packages: build-packages
	$(call need,$(TEST_PACKAGES))
bench-packages: build-packages
	$(call need,$(BENCH_PACKAGES))
deb-packages: build-packages
	$(call need,$(DEB_PACKAGES))

$(BUILD)/build.ninja: | build-packages
	meson setup $(BUILD) $(MESON_OPTIONS)

build: build-packages $(BUILD)/build.ninja
	ninja -C $(BUILD)

demo: test-packages build
	tests/demo/run $(BUILD)

test: test-packages build
	tests/run $(BUILD)

unit: test-packages build
	meson test -C $(BUILD) --print-errorlogs

integration: test-packages build
	PENSTOCK_BUILD=$(CURDIR)/$(BUILD) $(PYTHON) -m pytest -q tests/integration

# Bounded run of every fuzz target under address and undefined-behaviour sanitizers. SECONDS_EACH=n to run longer.
fuzz: test-packages
	tests/fuzz/run

# All unit tests under address and undefined-behaviour sanitizers.
sanitize: test-packages
	[ -f build-sanitize/build.ninja ] || meson setup build-sanitize -Db_sanitize=address,undefined -Db_lundef=false
	meson test -C build-sanitize --suite unit --print-errorlogs --timeout-multiplier 6

bench: bench-packages build
	$(PYTHON) perf/bench.py --build $(BUILD)

bench-quick: bench-packages build
	$(PYTHON) perf/bench.py --build $(BUILD) --quick

deb: deb-packages
	dpkg-buildpackage -b -us -uc --no-check-builddeps
	mkdir -p dist && mv ../penstock_*.deb ../penstock_*.buildinfo ../penstock_*.changes ../penstock-dbgsym_*.deb dist/ 2>/dev/null; ls dist

install: build
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-sanitize build-fuzz dist
