/* Hostile bytes and failing memory for the tests of parsers. */
#include "tests/lib/data/hostile.h"

#include "lib/base/mem.h"
#include "tests/support/guard.h"

#include <check.h>
#include <stdint.h>

#define MAX_ALLOCATIONS 2000

static enum err_code parse_guarded(struct guard *g, hostile_parser *parse)
{
    struct err e = {.code = ERR_OK};
    enum err_code code = parse(g->bytes, g->length, &e);
    if (code != ERR_OK) {
        ck_assert_int_eq(e.code, code);
        ck_assert_msg(e.msg[0] != 0, "refused without a message");
    }
    return code;
}

void hostile_prefixes(const void *bytes, size_t length, hostile_parser *parse)
{
    for (size_t n = 0; n < length; n++) {
        struct guard g = guard_copy(bytes, n);
        ck_assert_msg(parse_guarded(&g, parse) != ERR_OK,
                      "accepted the first %zu of %zu bytes", n, length);
        guard_free(&g);
    }
}

size_t hostile_mutations(const void *bytes, size_t length,
                         hostile_parser *parse)
{
    struct guard g = guard_copy(bytes, length);
    size_t refused = 0;
    for (size_t i = 0; i < length; i++) {
        const uint8_t good = (uint8_t)g.bytes[i];
        const uint8_t others[] = {0,
                                  0xff,
                                  good ^ 1,
                                  good ^ 0x80,
                                  (uint8_t)(good + 1),
                                  (uint8_t)(good - 1),
                                  '"',
                                  '9'};
        for (size_t k = 0; k < sizeof(others); k++) {
            g.bytes[i] = (char)others[k];
            if (parse_guarded(&g, parse) != ERR_OK)
                refused++;
        }
        g.bytes[i] = (char)good;
    }
    guard_free(&g);
    return refused;
}

void hostile_memory(enum err_code (*run)(void *arg, struct err *e), void *arg)
{
    for (size_t n = 0; n < MAX_ALLOCATIONS; n++) {
        struct err e = {.code = ERR_OK};
        mem_fail_after(n);
        enum err_code code = run(arg, &e);
        mem_fail_after(SIZE_MAX);
        if (code == ERR_OK) {
            ck_assert_msg(n > 0, "nothing was allocated");
            return;
        }
        ck_assert_msg(code == ERR_NO_MEMORY, "allocation %zu: %s", n, e.msg);
    }
    ck_abort_msg("still allocating after %d", MAX_ALLOCATIONS);
}
