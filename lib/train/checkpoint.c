/* Checkpoints as safetensors: blocks are tensors, counters are metadata in
 * hexadecimal, as JSON numbers would lose bits.
 */
#include "lib/train/checkpoint.h"

#include "lib/data/safetensors.h"
#include "lib/math/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "sparsed-checkpoint"

enum { N_COUNTERS = 10, N_BLOCKS = 4 };

static const char *const counter_names[N_COUNTERS] = {
    "recipe", "data",  "seed",  "threads",      "phase",
    "epoch",  "steps", "stale", "best_measure", "best_second_measure"};

static const char *const block_names[N_BLOCKS] = {"params", "best_params",
                                                  "first", "second"};

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

enum err_code checkpoint_write(const struct checkpoint *c, const char *path,
                               struct err *e)
{
    const uint64_t counters[N_COUNTERS] = {
        c->recipe,          c->data,  c->seed,
        c->threads,         c->phase, c->epoch,
        c->steps,           c->stale, bits_of(c->best[0]),
        bits_of(c->best[1])};
    const float *blocks[N_BLOCKS] = {c->params, c->best_params, c->first,
                                     c->second};
    char texts[N_COUNTERS][20];
    struct st_meta meta[1 + N_COUNTERS] = {{.key = "format", .value = FORMAT}};
    struct st_tensor tensors[N_BLOCKS];
    size_t n = 0;

    for (size_t i = 0; i < N_COUNTERS; i++) {
        snprintf(texts[i], sizeof texts[i], "%016" PRIx64, counters[i]);
        meta[1 + i] =
            (struct st_meta){.key = counter_names[i], .value = texts[i]};
    }
    for (size_t i = 0; i < N_BLOCKS; i++)
        if (blocks[i])
            tensors[n++] = (struct st_tensor){.name = block_names[i],
                                              .type = ST_F32,
                                              .rank = 1,
                                              .shape = {c->total},
                                              .data = blocks[i]};
    return safetensors_write(path, tensors, n, meta, 1 + N_COUNTERS, e);
}

/* ---- reading ---- */

static enum err_code read_counters(const struct safetensors *file,
                                   uint64_t *counters, struct err *e)
{
    for (size_t i = 0; i < N_COUNTERS; i++) {
        const char *text = safetensors_meta(file, counter_names[i]);
        if (!text || strlen(text) != 16 ||
            strspn(text, "0123456789abcdef") != 16)
            return err_set(e, ERR_CORRUPT,
                           "metadata \"%s\" is not 16 hexadecimal digits",
                           counter_names[i]);
        counters[i] = strtoull(text, NULL, 16);
    }
    return ERR_OK;
}

static enum err_code read_blocks(const struct safetensors *file, size_t total,
                                 const float **blocks, struct err *e)
{
    for (size_t i = 0; i < N_BLOCKS; i++) {
        const struct st_tensor *t = safetensors_find(file, block_names[i]);
        blocks[i] = NULL;
        if (!t)
            continue;
        if (t->type != ST_F32 || t->rank != 1 || t->count != total)
            return err_set(e, ERR_CORRUPT,
                           "tensor %s: must hold %zu numbers of type F32",
                           t->name, total);
        if (!vec_finite(t->data, t->count))
            return err_set(e, ERR_CORRUPT,
                           "tensor %s: not all numbers are finite", t->name);
        blocks[i] = t->data;
    }
    if (!blocks[0])
        return err_set(e, ERR_CORRUPT, "tensor %s is missing", block_names[0]);
    return ERR_OK;
}

static enum err_code same_run(const struct checkpoint *found,
                              const struct checkpoint *wanted, struct err *e)
{
    static const char *const remedy =
        "go on with the same, or train from the beginning";
    if (found->recipe != wanted->recipe)
        return err_set(e, ERR_CONFLICT,
                       "the checkpoint is of another recipe: %s", remedy);
    if (found->data != wanted->data)
        return err_set(e, ERR_CONFLICT, "the checkpoint is of other data: %s",
                       remedy);
    if (found->seed != wanted->seed)
        return err_set(e, ERR_CONFLICT,
                       "the checkpoint is of seed %" PRIu64 ", not %" PRIu64
                       ": %s",
                       found->seed, wanted->seed, remedy);
    if (found->threads != wanted->threads)
        return err_set(e, ERR_CONFLICT,
                       "the checkpoint is of %" PRIu64 " threads, not %" PRIu64
                       ": %s",
                       found->threads, wanted->threads, remedy);
    return ERR_OK;
}

static enum err_code read_all(struct checkpoint *c,
                              const struct checkpoint *wanted, struct err *e)
{
    const char *format = safetensors_meta(c->file, "format");
    uint64_t n[N_COUNTERS];
    const float *blocks[N_BLOCKS];
    if (!format || strcmp(format, FORMAT) != 0)
        return err_set(e, ERR_CORRUPT,
                       "metadata \"format\" is not \"" FORMAT "\"");
    if (read_counters(c->file, n, e))
        return e->code;
    *c = (struct checkpoint){.recipe = n[0],
                             .data = n[1],
                             .seed = n[2],
                             .threads = n[3],
                             .phase = n[4],
                             .epoch = n[5],
                             .steps = n[6],
                             .stale = n[7],
                             .best = {of_bits(n[8]), of_bits(n[9])},
                             .total = wanted->total,
                             .file = c->file};
    if (isnan(c->best[0]) || isnan(c->best[1]))
        return err_set(e, ERR_CORRUPT, "its best measure is no number");
    if (same_run(c, wanted, e) ||
        read_blocks(c->file, wanted->total, blocks, e))
        return e->code;
    c->params = blocks[0];
    c->best_params = blocks[1];
    c->first = blocks[2];
    c->second = blocks[3];
    return ERR_OK;
}

enum err_code checkpoint_open(struct checkpoint *c, const char *path,
                              const struct checkpoint *wanted, struct err *e)
{
    *c = (struct checkpoint){.file = safetensors_open(path, e)};
    if (!c->file)
        return e->code;
    if (read_all(c, wanted, e)) {
        checkpoint_close(c);
        return err_wrap(e, "%s", path);
    }
    return ERR_OK;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c->file)
        safetensors_close(c->file);
    *c = (struct checkpoint){0};
}
