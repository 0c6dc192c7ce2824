/* Lets a script see files as the program sees them: reads one and prints what
 * is in it, or writes one with known contents. Built by test_formats.py.
 *
 * usage: formats read FILE.safetensors   name, type, shape and bytes, a line
 *                                        a tensor, then the metadata "format"
 *        formats write FILE.safetensors
 *        formats rows DATA               shape, labels and floats of a data
 *                                        set whose bytes stay 0..255
 *        formats write-npy FILE.npy
 *        formats write-npz FILE.npz
 */
#include "lib/base/file.h"
#include "lib/data/dataset.h"
#include "lib/data/npz.h"
#include "lib/data/safetensors.h"
#include "lib/data/safetensors_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float values[6] = {0, 0.1f, -2, 3.5f, 1e-30f, -65504};
static const long long labels[3] = {7, -1, 1LL << 40};
static const size_t shape[2] = {2, 3};

static void print_hex(const void *data, size_t length)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < length; i++)
        printf("%02x", p[i]);
}

static void print_shape(const size_t *sizes, size_t rank)
{
    for (size_t k = 0; k < rank; k++)
        printf(k == 0 ? "%zu" : ",%zu", sizes[k]);
}

static enum err_code run_read(const char *path, struct err *e)
{
    struct safetensors *s = safetensors_open(path, e);
    if (s == NULL)
        return e->code;
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct st_tensor *t = safetensors_at(s, i);
        printf("%s\t%s\t", t->name, st_type_name(t->type));
        print_shape(t->shape, t->rank);
        printf("\t");
        print_hex(t->data, t->bytes);
        printf("\n");
    }
    const char *format = safetensors_meta(s, "format");
    printf("format\t%s\n", format != NULL ? format : "");
    safetensors_close(s);
    return ERR_OK;
}

/* Eight elements of every type, in bytes that count up; and the odd cases. */
static enum err_code run_write(const char *path, struct err *e)
{
    static const unsigned char bytes[64] = {0, 1, 1, 0, 1, 0, 0, 1, 2, 3};
    enum { TYPES = ST_F64 + 1 };
    struct st_tensor tensors[TYPES + 3] = {
        [TYPES] = {.name = "scalar", .type = ST_F32, .data = values + 1},
        [TYPES +
            1] = {.name = "empty", .type = ST_I64, .rank = 2, .shape = {0, 4}},
        [TYPES + 2] = {.name = "\"quoted\" \\ \xc3\xa9\n",
                       .type = ST_F32,
                       .rank = 2,
                       .shape = {2, 3},
                       .data = values},
    };
    for (size_t i = 0; i < TYPES; i++)
        tensors[i] = (struct st_tensor){.name = st_type_name((enum st_type)i),
                                        .type = (enum st_type)i,
                                        .rank = 2,
                                        .shape = {2, 4},
                                        .data = bytes};
    const struct st_meta meta[] = {{"format", "sparsed"},
                                   {"config", "{\"a\": \"\xc3\xa9\\n\"}"}};
    return safetensors_write(path, tensors, TYPES + 3, meta, 2, e);
}

static enum err_code run_rows(const char *path, struct err *e)
{
    struct dataset_want want = {.split = DATASET_TRAIN};
    struct dataset *d = dataset_load(path, &want, e);
    float *row = d != NULL ? malloc(d->row_size * sizeof(*row)) : NULL;
    if (row == NULL)
        return d == NULL ? e->code : ERR_NO_MEMORY;
    printf("%zu\t", d->n);
    print_shape(d->shape, d->rank);
    printf("\n");
    for (uint32_t i = 0; i < d->n; i++) {
        dataset_rows(d, &i, 1, 0, 255, row);
        printf("%d\t",
               d->labels != NULL ? (int)d->labels[i] : DATASET_NO_LABEL);
        print_hex(row, d->row_size * sizeof(*row));
        printf("\n");
    }
    free(row);
    dataset_free(d);
    return ERR_OK;
}

static enum err_code run_write_npy(const char *path, struct err *e)
{
    struct buf b;
    buf_init(&b, 10000);
    npy_print_floats(&b, shape, 2, values);
    enum err_code code = file_replace(path, b.data, b.length, e);
    buf_fini(&b);
    return code;
}

static enum err_code run_write_npz(const char *path, struct err *e)
{
    const struct npz_array arrays[] = {
        {.key = "x", .rank = 2, .shape = {2, 3}, .floats = values},
        {.key = "y", .rank = 1, .shape = {3}, .ints = labels},
        {.key = "none", .rank = 1, .shape = {0}, .floats = values},
    };
    return npz_write(path, arrays, 3, e);
}

static const struct {
    const char *name;
    enum err_code (*run)(const char *path, struct err *e);
} commands[] = {
    {"read", run_read},           {"write", run_write},
    {"rows", run_rows},           {"write-npy", run_write_npy},
    {"write-npz", run_write_npz},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (argc != 3 || strcmp(argv[1], commands[i].name) != 0)
            continue;
        struct err e = {.code = ERR_OK};
        if (commands[i].run(argv[2], &e) == ERR_OK)
            return EXIT_SUCCESS;
        fprintf(stderr, "%s: %s\n", err_name(e.code), e.msg);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "usage: formats COMMAND PATH (see formats.c)\n");
    return 2;
}
