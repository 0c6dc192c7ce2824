#include "tests/support/caught.h"

#include "lib/base/mem.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_BYTES (1 << 20)

static FILE *caught;
static int real_stderr;

void caught_begin(void)
{
    caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    real_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
}

char *caught_read(void)
{
    char *text = mem_must(1, MAX_BYTES);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(caught);
    text[fread(text, 1, MAX_BYTES - 1, caught)] = 0;
    fclose(caught);
    return text;
}
