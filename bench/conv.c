/* conv: our side of the convolution rows, which bench/peers/conv.py asks for
 * one round at a time, so that both sides take turns within one run.
 *
 *   conv FOLDER    config.json, weights, inputs in; code, d_inputs, d_weights
 *                  out: float32, one after another, as the arrays lie in memory
 *
 * Each line of the input is a piece of work and how often to do it; the answer
 * is the microseconds a row that it took. "check" writes the results instead.
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/start.h"
#include "lib/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 128 };

struct bench {
    const char *folder;
    struct model *packed, *plain; /* the same weights */
    float *x;                     /* (ROWS,inputs) */
    float *y;                     /* (ROWS,units) W x */
    float *dx, *dw;               /* gradients of 1/2 ||W x||^2 */
    struct arena memory;
    struct err e;
};

static void die(const char *what)
{
    fprintf(stderr, "conv: %s\n", what);
    exit(EXIT_FAILURE);
}

static FILE *open_in(const struct bench *b, const char *name, const char *mode)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", b->folder, name);
    FILE *f = fopen(path, mode);
    if (!f)
        die(path);
    return f;
}

static void read_floats(const struct bench *b, const char *name, float *out,
                        size_t n)
{
    FILE *f = open_in(b, name, "rb");
    if (fread(out, sizeof *out, n, f) != n)
        die(name);
    fclose(f);
}

static void write_floats(const struct bench *b, const char *name,
                         const float *x, size_t n)
{
    FILE *f = open_in(b, name, "wb");
    if (fwrite(x, sizeof *x, n, f) != n || fclose(f))
        die(name);
}

static void load(struct bench *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/config.json", b->folder);
    struct json *j = json_parse_file(path, 1 << 16, &b->e);
    b->plain = j ? model_new(j, NULL, 0, &b->e) : NULL;
    if (!b->plain || params_allocate(&b->plain->params, &b->e))
        die(b->e.msg);
    json_free(j);
    const struct layer *l = &b->plain->layers[0];
    read_floats(b, "weights", b->plain->params.values, b->plain->params.total);
    b->packed = model_copy(b->plain, &b->e);
    if (!b->packed || model_prepare(b->packed, &b->e))
        die(b->e.msg);
    b->x = mem_must(ROWS * layer_inputs(l), sizeof *b->x);
    b->dx = mem_must(ROWS * layer_inputs(l), sizeof *b->dx);
    b->y = mem_must(ROWS * layer_units(l), sizeof *b->y);
    b->dw = mem_must(l->enc.weight->count, sizeof *b->dw);
    read_floats(b, "inputs", b->x, ROWS * layer_inputs(l));
}

static const float *encode(struct bench *b, size_t first, size_t rows)
{
    struct pass p;
    struct model_options options = {0};
    const float *x = b->x + first * model_inputs(b->packed);
    arena_reset(&b->memory);
    if (model_encode(b->packed, &p, x, rows, &options, &b->memory, &b->e))
        die(b->e.msg);
    return p.layers[0].z;
}

/* W x, and both gradients for W x itself as the slope, with the weights as
 * training has them: not packed. */
static void train(struct bench *b)
{
    const struct operator *op = &b->plain->layers[0].enc;
    arena_reset(&b->memory);
    if (!arena_reserve(&b->memory, op->kind->scratch_bytes(op, ROWS)))
        die("out of memory");
    memset(b->dx, 0, ROWS * space_size(&op->in) * sizeof *b->dx);
    memset(b->dw, 0, op->weight->count * sizeof *b->dw);
    op->kind->apply(op, b->y, NULL, b->x, ROWS, &b->memory);
    op->kind->adjoint(op, b->dx, b->y, ROWS, &b->memory);
    op->kind->gradient(op, b->dw, b->y, b->x, ROWS, &b->memory);
}

static void check(struct bench *b)
{
    const struct layer *l = &b->plain->layers[0];
    write_floats(b, "code", encode(b, 0, ROWS), ROWS * layer_units(l));
    train(b);
    write_floats(b, "d_inputs", b->dx, ROWS * layer_inputs(l));
    write_floats(b, "d_weights", b->dw, l->enc.weight->count);
}

static void work(struct bench *b, const char *what, size_t times)
{
    size_t rows = 0;
    usec start = clock_now();
    for (size_t i = 0; i < times; i++) {
        if (strcmp(what, "one") == 0) {
            encode(b, i % ROWS, 1);
            rows++;
        } else if (strcmp(what, "batch") == 0) {
            encode(b, 0, ROWS);
            rows += ROWS;
        } else {
            train(b);
            rows += ROWS;
        }
    }
    printf("%.3f\n", (double)(clock_now() - start) / (double)rows);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char line[64];
    if (argc != 2) {
        fprintf(stderr, "usage: conv FOLDER\n");
        return 2;
    }
    if (math_start(&b.e))
        fprintf(stderr, "conv: %s\n", b.e.msg);
    b.folder = argv[1];
    arena_init(&b.memory, SIZE_MAX);
    load(&b);
    while (fgets(line, sizeof line, stdin)) {
        char *times = strchr(line, ' ');
        if (times) {
            *times++ = 0;
            work(&b, line, strtoul(times, NULL, 10));
        } else {
            check(&b);
            puts("done");
            fflush(stdout);
        }
    }
    arena_fini(&b.memory);
    float *all[] = {b.x, b.y, b.dx, b.dw};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free(all[i]);
    model_free(b.packed);
    model_free(b.plain);
    return EXIT_SUCCESS;
}
