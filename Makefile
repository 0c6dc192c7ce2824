# sparsed. `make` builds build/sparsed, `make run` serves, `make help` lists
# the rest. Missing system packages are installed by scripts/deps.sh.

VERSION := 0.1.0

# One build is told by two settings: a mode (release, asan, tsan, ubsan) and
# the file behind lib/math/blas.h. OpenBLAS carries no thread sanitizer marks.
MODE ?= release
BLAS ?= $(if $(filter tsan,$(MODE)),ref,openblas)

# Settings of single targets.
LISTEN ?= 127.0.0.1:8080
PREFIX ?= /usr/local
ONNX_PROTO ?= /usr/include/onnx/onnx.proto
ARGS ?=
T ?=

# V=1 prints whole commands.
Q := $(if $(V),,@)

# Each mode has its own folder, so sanitizer objects never mix.
O := build/$(MODE)
BIN := $(if $(filter release,$(MODE)),build/sparsed,$(O)/sparsed)

# ---- sources ----

LIB_C := $(filter-out lib/math/blas_%.c,$(wildcard lib/*/*.c lib/*/*/*.c)) \
         lib/math/blas_$(BLAS).c $(wildcard api/*.c api/*/*.c)
SERVER_C := $(wildcard server/*.c)
TESTS_C := $(filter-out $(addprefix tests/,lint/% http/% interop/%), \
                        $(shell find tests -name '*.c' 2>/dev/null))
ASSETS := $(wildcard openapi.yaml) \
          $(shell find web -type f ! -name '.*' ! -name '*.md' 2>/dev/null)

LIB_O := $(LIB_C:%.c=$(O)/o/%.o) $(O)/o/assets.o $(O)/o/onnx.pb-c.o
SERVER_O := $(SERVER_C:%.c=$(O)/o/%.o)
TESTS_O := $(TESTS_C:%.c=$(O)/o/%.o)
# What of server/ the unit tests link: all but the commands.
PARTS_O := $(filter-out $(O)/o/server/main.o $(O)/o/server/cmd_%,$(SERVER_O))

# ---- flags ----

# Asked when first used, which is after `deps` has installed the packages, and
# then kept.
once = $(eval $(1) := $(shell $(2)))$($(1))
PACKAGES := libmicrohttpd gnutls libcjson libpng libturbojpeg libzip zlib \
            sqlite3 libprotobuf-c $(filter openblas,$(BLAS))
PACKAGES_CFLAGS = $(call once,PACKAGES_CFLAGS,pkg-config --cflags $(PACKAGES))
PACKAGES_LIBS = $(call once,PACKAGES_LIBS,pkg-config --libs $(PACKAGES))
CHECK_CFLAGS = $(call once,CHECK_CFLAGS,pkg-config --cflags check)
CHECK_LIBS = $(call once,CHECK_LIBS,pkg-config --libs check)

# Errors in CI; not under sanitizers, whose code draws false warnings.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wdouble-promotion -Wswitch-enum -Wformat=2 -Wvla -Wcast-qual \
            $(if $(filter true-release,$(CI)-$(MODE)),-Werror)

FLAGS_release := -O3 -fno-math-errno -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
FLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address
FLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
FLAGS_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=all

CFLAGS ?= -g
LDFLAGS ?=
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -DSPARSED_VERSION=\"$(VERSION)\" -I. \
          -fPIE -fstack-protector-strong $(FLAGS_$(MODE)) $(WARNINGS) \
          $(PACKAGES_CFLAGS) $(CFLAGS)
LINK = $(CC) -pie -Wl,-z,relro,-z,now -Wl,--as-needed \
       $(filter -fsanitize=%,$(FLAGS_$(MODE))) $(LDFLAGS)
LIBS = $(PACKAGES_LIBS) -lm -lpthread

ifeq ($(FLAGS_$(MODE)),)
$(error MODE is release, asan, tsan or ubsan, not '$(MODE)')
endif

# All cores, unless the caller chose.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# ---- build ----

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all run test unit test-cli test-http test-crash test-image conformance asan tsan \
        ubsan data train lint format bench bench-growth bench-stacks bench-learning \
        bench-overload learns \
        figures figures-compare install image clean help deps deps-test FORCE

all: $(BIN) ## build build/sparsed, after installing what is missing

$(BIN): $(SERVER_O) $(O)/libsparsed.a $(O)/flags
	@echo '  link $@'
	$(Q)$(LINK) -o $@ $(SERVER_O) $(O)/libsparsed.a $(LIBS)

$(O)/tests: $(TESTS_O) $(PARTS_O) $(O)/libsparsed.a $(O)/flags
	@echo '  link $@'
	$(Q)$(LINK) -o $@ $(TESTS_O) $(PARTS_O) $(O)/libsparsed.a $(CHECK_LIBS) $(LIBS)

# The programs that are measured, or measure.
BENCHES := $(basename $(notdir $(wildcard bench/*.c)))
$(BENCHES:%=$(O)/%): $(O)/%: $(O)/o/bench/%.o $(O)/libsparsed.a $(O)/flags
	@echo '  link $@'
	$(Q)$(LINK) -o $@ $< $(O)/libsparsed.a $(LIBS)

$(O)/libsparsed.a: $(LIB_O) $(O)/sources
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_O)

$(O)/o/%.o: %.c $(O)/flags | deps
	@mkdir -p $(@D)
	@echo '  cc $<'
	$(Q)$(COMPILE) $(EXTRA) -MMD -MP -c -o $@ $<

$(TESTS_O): private EXTRA = $(CHECK_CFLAGS) -isystem build/gen
$(TESTS_O): | deps-test build/gen/onnx/onnx.pb-c.c

# A product and a sum in one step, where the processor has it: twice the speed.
$(O)/o/lib/math/convolution.o: private EXTRA = -ffp-contract=fast

# Where `serve` looks for models when ./models is not there.
$(O)/o/server/config.o: private EXTRA = \
    -DSPARSED_MODELS_DIR='"$(PREFIX)/share/sparsed/models"'
$(O)/o/server/config.o: $(O)/prefix

# The contract and the demo page travel inside the binary.
build/gen/assets.c: scripts/assets.sh $(ASSETS) build/gen/assets.list
	@echo '  embed $(ASSETS)'
	$(Q)sh scripts/assets.sh $(ASSETS) > $@

$(O)/o/assets.o: build/gen/assets.c $(O)/flags api/assets.h | deps
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

# The messages of ONNX files, from the system's description of them. That it is
# a system header keeps warnings to our own code.
build/gen/onnx/onnx.pb-c.c: | deps
	@mkdir -p build/gen
	@echo '  protoc-c $(ONNX_PROTO)'
	$(Q)protoc-c --proto_path='$(ONNX_PROTO:%/onnx/onnx.proto=%)' \
	    --c_out=build/gen onnx/onnx.proto

$(O)/o/onnx.pb-c.o: build/gen/onnx/onnx.pb-c.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -isystem build/gen -c -o $@ $<

$(O)/o/lib/data/onnx_write.o: private EXTRA = -isystem build/gen
$(O)/o/lib/data/onnx_write.o: build/gen/onnx/onnx.pb-c.c

# Notes of what a folder was made from. They change only when that changes, so
# new flags, and files added or removed, rebuild what they must.
$(O)/flags: NOTE = $(COMPILE) $(LINK)
$(O)/sources: NOTE = $(LIB_O)
$(O)/prefix: NOTE = $(PREFIX)
build/gen/assets.list: NOTE = $(ASSETS)
$(O)/flags $(O)/sources $(O)/prefix build/gen/assets.list: FORCE | deps
	@mkdir -p $(@D)
	@echo '$(NOTE)' | cmp -s - $@ || echo '$(NOTE)' > $@

deps:
	@sh scripts/deps.sh build

deps-test: | deps
	@sh scripts/deps.sh test

-include $(LIB_O:.o=.d) $(SERVER_O:.o=.d) $(TESTS_O:.o=.d) \
         $(BENCHES:%=$(O)/o/bench/%.d)

# ---- use ----

run: $(BIN) ## serve the shipped models; LISTEN=ADDR:PORT, ARGS: settings
	$(BIN) serve --listen $(LISTEN) --models models $(ARGS)

data: ## fetch MNIST, Fashion-MNIST and photographs into data/
	@sh scripts/data.sh mnist fashion-mnist photographs

# The recipe names its data set, the training goes to build/models.
train: $(BIN) ## MODEL=name: train its recipe again; ARGS go to sparsed train
	@sh scripts/train.sh $(BIN) '$(MODEL)' $(ARGS)

SHARE = $(DESTDIR)$(PREFIX)/share
install: $(BIN) ## binary, models, manual, completions, unit below $(DESTDIR)$(PREFIX)
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(SHARE)/sparsed/models' \
	    '$(DESTDIR)$(PREFIX)/lib/systemd/system' \
	    '$(SHARE)/man/man1' '$(SHARE)/bash-completion/completions' \
	    '$(SHARE)/zsh/site-functions' '$(SHARE)/fish/vendor_completions.d'
	install -s -m 755 $(BIN) '$(DESTDIR)$(PREFIX)/bin/sparsed'
	cp -R models/. '$(SHARE)/sparsed/models'
	$(BIN) manual > '$(SHARE)/man/man1/sparsed.1'
	$(BIN) completion bash > '$(SHARE)/bash-completion/completions/sparsed'
	$(BIN) completion zsh > '$(SHARE)/zsh/site-functions/_sparsed'
	$(BIN) completion fish > '$(SHARE)/fish/vendor_completions.d/sparsed.fish'
	sed 's|/usr/local/|$(PREFIX)/|g' server/install/sparsed.service \
	    > '$(DESTDIR)$(PREFIX)/lib/systemd/system/sparsed.service'

image: ## container image, with docker, podman or buildah
	@VERSION=$(VERSION) sh scripts/image.sh

# ---- tests ----

# Quick checks first: what lint finds is not worth a build.
test: ## lint, unit, command and HTTP tests; T=suite: one unit suite
ifeq ($(T),)
	@$(MAKE) --no-print-directory lint && echo 'lint: passed'
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory test-cli
	@$(MAKE) --no-print-directory test-http
else
	@$(MAKE) --no-print-directory unit
endif

# Sanitizers report a process once, at its end, so there the tests share one.
TEST_ENV_release :=
TEST_ENV_asan := CK_FORK=no ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
TEST_ENV_tsan := CK_FORK=no TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
TEST_ENV_ubsan := CK_TIMEOUT_MULTIPLIER=10 \
                  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# File 12 measures the shipped models on whole data sets.
HTTP_tsan := 01-11 13-14 20-25

unit: $(O)/tests
	$(strip $(if $(T),CK_RUN_SUITE=$(T)) $(TEST_ENV_$(MODE)) $(O)/tests)

test-cli: $(BIN) build/venv/ready ## every command, killed runs, formats, codes and figures
	SPARSED=$(BIN) build/venv/bin/python tests/cli/test_commands.py
	SPARSED=$(BIN) build/venv/bin/python tests/cli/test_settings.py
	SPARSED=$(BIN) build/venv/bin/python tests/cli/test_samples.py
	SPARSED=$(BIN) build/venv/bin/python tests/cli/test_train.py
	SPARSED=$(BIN) build/venv/bin/python tests/cli/test_stack.py
	build/venv/bin/python tests/interop/test_formats.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_onnx.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_spams.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_figures.py
	build/venv/bin/python tests/interop/test_figures_maps.py
	SPARSED=$(BIN) build/venv/bin/python \
	    tests/interop/test_figures_prediction.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_figures_models.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_figures_noise.py
	SPARSED=$(BIN) build/venv/bin/python tests/interop/test_figures_layers.py

test-http: $(BIN) build/venv/ready ## the real binary over TCP; ARGS: 03, 05-08, words
	@sh scripts/data.sh mnist
	SPARSED=$(BIN) $(TEST_ENV_$(MODE)) \
	    build/venv/bin/python tests/http/run.py $(or $(ARGS),$(HTTP_$(MODE)))

test-crash: $(BIN) build/venv/ready ## kill -9 at 100 random moments; ARGS: --kills N, --seed N
	SPARSED=$(BIN) $(TEST_ENV_$(MODE)) \
	    build/venv/bin/python tests/http/crash.py $(ARGS)

# NumPy, the public safetensors package and ONNX Runtime, as independent judges;
# Pillow reads the photographs.
build/venv/ready: tests/requirements.txt | deps-test
	python3 -m venv --clear build/venv
	build/venv/bin/python -m pip install --quiet -r $<
	@touch $@

# As others publish them: clients, a fuzzer, a linter, Prometheus.
conformance: $(BIN) build/conformance/ready ## others' clients, a fuzzer, a linter against the daemon, in minutes; ARGS: lint triton ...
	SPARSED=$(BIN) build/conformance/bin/python tests/conformance/run.py $(ARGS)

build/conformance/ready: $(addprefix tests/conformance/,requirements.txt \
                           package.json package-lock.json) | deps
	@sh scripts/deps.sh conformance
	python3 -m venv --clear build/conformance
	build/conformance/bin/python -m pip install --quiet -r $<
	cp $(filter %.json,$^) build/conformance
	npm ci --prefix build/conformance --ignore-scripts --silent
	@touch $@

test-image: ## build the image, run it read-only, stop it
	@VERSION=$(VERSION) sh scripts/test-image.sh

asan: ## unit and HTTP tests, address sanitizer and leak check
tsan: ## the same, thread sanitizer
ubsan: ## the same, undefined-behaviour sanitizer
asan tsan ubsan:
	@$(MAKE) --no-print-directory MODE=$@ unit
	@$(MAKE) --no-print-directory MODE=$@ test-http

# A machine that cannot have a peer does without its rows.
bench: $(BIN) $(BENCHES:%=$(O)/%) build/peers/ready ## measure beside peers, write bench/RESULTS.md; ARGS: --only FAMILY, --quick
	@sh scripts/data.sh mnist fashion-mnist photographs
	SPARSED=$(BIN) build/peers/bin/python bench/run.py $(ARGS)
	@python3 bench/check_results.py

build/peers/ready: bench/peers/install.sh $(wildcard bench/peers/*.txt \
                       bench/peers/http/node/*.json) | deps
	-@sh scripts/deps.sh bench
	sh bench/peers/install.sh
	@touch $@

bench-growth: $(BIN) $(O)/encode build/peers/ready ## latency and memory as one thing grows, into bench/GROWTH.md
	@sh scripts/data.sh mnist
	SPARSED=$(BIN) build/peers/bin/python bench/growth.py $(ARGS)

# Half an hour on two free cores; what an interrupted one has done is kept.
bench-stacks: $(BIN) ## stacks on few labels and without their parts, into bench/STACKS.md
	@sh scripts/data.sh mnist fashion-mnist
	SPARSED=$(BIN) python3 bench/stacks.py $(ARGS)

bench-learning: $(BIN) build/venv/ready ## what learning costs the daemon, into bench/LEARNING.md
	@sh scripts/data.sh mnist fashion-mnist
	SPARSED=$(BIN) build/venv/bin/python bench/learning.py $(ARGS)

bench-overload: $(BIN) $(O)/overload build/venv/ready ## five times what it can do, for a minute, into bench/OVERLOAD.md
	@sh scripts/data.sh mnist
	SPARSED=$(BIN) build/venv/bin/python bench/overload.py $(O)/overload \
	    $(ARGS)

learns: $(BIN) build/venv/ready ## that it learns: new digits, shifted ones, into bench/LEARNS.md
	@sh scripts/data.sh mnist fashion-mnist
	SPARSED=$(BIN) build/venv/bin/python bench/learns.py $(ARGS)

figures: $(BIN) build/venv/ready ## MODEL=name: measure it, write the figures into its card
	SPARSED=$(BIN) build/venv/bin/python bench/figures/figures.py \
	    '$(MODEL)' $(ARGS)

figures-compare: $(BIN) build/venv/ready ## A=name B='name ...': models in one table, into A's card
	@SPARSED=$(BIN) build/venv/bin/python bench/figures/compare.py \
	    '$(A)' $(or $(B),'') $(ARGS)

lint: | deps ## layers, banned calls, headers, axes, sizes, layout
	@failed=; for check in tests/lint/*.sh; do \
	    COMPILE='$(COMPILE)' sh $$check || failed="$$failed $$check"; \
	done; \
	test -z "$$failed" || { echo "lint: failed:$$failed" >&2; exit 1; }

format: ## lay the sources out with clang-format
	@sh tests/lint/format.sh --fix

clean: ## remove build/ but for build/models
	rm -rf $(filter-out build/models,$(wildcard build/*))

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' \
	    $(firstword $(MAKEFILE_LIST))
