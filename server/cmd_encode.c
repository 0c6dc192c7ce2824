/* sparsed encode: codes, pools or reconstructions of a whole data set, block by
 * block.
 *
 * A .npy file gets one array and is written as the blocks are done, whatever
 * its size; a .npz file gets several, and is put together in memory. Labels
 * are numbered as in the data set.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/data/npy.h"
#include "lib/data/npz.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_ROWS 256
#define BLOCK_BYTES ((size_t)256 << 20)
#define ARENA_BYTES ((size_t)4 << 30)
#define NPZ_BYTES ((size_t)2 << 30)

enum part { PART_CODES, PART_GROUPS, PART_RECONSTRUCTIONS, PARTS };

static const char *const part_names[] = {"codes", "groups", "reconstructions"};

struct arguments {
    const char *model, *data, *out, *what;
    int split;
    size_t layer;
};

struct job {
    struct arguments args;
    struct model *m;
    struct dataset *d;
    bool wanted[PARTS];
    size_t width[PARTS];        /* numbers a row */
    struct file_writer *writer; /* of a .npy */
    float *arrays[PARTS];       /* of a .npz: (rows, width) */
    struct arena memory;
    uint32_t *index; /* (block) */
    float *x;        /* (block, inputs) */
};

static const struct setting table[] = {
    LOAD_DATA_SETTING(struct arguments),
    LOAD_SPLIT_SETTING(struct arguments),
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "FILE",
     .help = ".npy for one array, .npz for several"},
    {.name = "what",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, what),
     .value = "LIST",
     .help = "of codes,groups,reconstructions; by default codes, in a .npz "
             "all, with labels"},
    {.name = "layer",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, layer),
     .max = MODEL_MAX_LAYERS - 1,
     .value = "N",
     .help = "whose, from 0; by default the top layer's"},
    {0},
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);

    return length > tail && strcmp(text + length - tail, end) == 0;
}

static bool is_npz(const struct job *job)
{
    return ends_with(job->args.out, ".npz");
}

/* Reads --what, if it is there. */
static enum err_code read_what(struct job *job, struct err *e)
{
    const char *at = job->args.what;
    size_t n = 0;

    if (at == NULL)
        return ERR_OK;
    for (; *at != 0; at += strspn(at, ",")) {
        size_t length = strcspn(at, ",");
        size_t part = 0;
        while (part < PARTS && (strlen(part_names[part]) != length ||
                                memcmp(at, part_names[part], length) != 0))
            part++;
        if (part == PARTS)
            return err_set(e, ERR_INVALID,
                           "--what: '%.*s' is none of codes, groups, "
                           "reconstructions",
                           (int)(length > 40 ? 40 : length), at);
        n += !job->wanted[part];
        job->wanted[part] = true;
        at += length;
    }
    if (n == 0 || (n > 1 && !is_npz(job)))
        return err_set(e, ERR_INVALID,
                       "--what: a .npy file has one array, %zu are asked for; "
                       "a .npz file takes several",
                       n);
    return ERR_OK;
}

static void choose_parts(struct job *job)
{
    if (job->args.what != NULL)
        return;
    job->wanted[PART_CODES] = true;
    job->wanted[PART_GROUPS] = is_npz(job);
    job->wanted[PART_RECONSTRUCTIONS] =
        is_npz(job) && model_draws(job->m, job->args.layer);
}

static enum err_code load(struct job *job, struct err *e)
{
    char path[PATH_MAX];
    job->m = load_model(job->args.model, path, sizeof path, e);
    if (job->m == NULL || load_layer(job->m, &job->args.layer, e) != ERR_OK ||
        model_prepare(job->m, e) != ERR_OK)
        return e->code;
    choose_parts(job);
    job->d = load_data(job->m, job->args.data, job->args.split, e);
    if (job->d == NULL)
        return e->code;
    const struct layer *l = &job->m->layers[job->args.layer];
    job->width[PART_CODES] = layer_units(l);
    job->width[PART_GROUPS] = layer_groups(l);
    job->width[PART_RECONSTRUCTIONS] = model_inputs(job->m);
    return ERR_OK;
}

/* ---- output ---- */

static enum err_code open_npy(struct job *job, size_t width, struct err *e)
{
    size_t shape[] = {job->d->n, width};
    struct buf header;

    job->writer = file_create(job->args.out, e);
    if (job->writer == NULL)
        return e->code;
    buf_init(&header, 4096);
    npy_print_floats_header(&header, shape, 2);
    enum err_code code = file_write(job->writer, header.data, header.length, e);
    buf_fini(&header);
    return code;
}

static enum err_code open_output(struct job *job, struct err *e)
{
    size_t total = 0;

    for (size_t i = 0; i < PARTS; i++) {
        size_t numbers;
        if (!job->wanted[i])
            continue;
        if (!is_npz(job))
            return open_npy(job, job->width[i], e);
        if (!mem_mul(job->d->n, job->width[i], &numbers) ||
            numbers > (NPZ_BYTES - total) / sizeof(float))
            return err_set(e, ERR_TOO_LARGE,
                           "%s: the arrays are over %zu bytes together; write "
                           "a .npy file for each",
                           job->args.out, NPZ_BYTES);
        total += numbers * sizeof(float);
        job->arrays[i] = mem_array(numbers, sizeof(float));
        if (job->arrays[i] == NULL)
            return err_set(e, ERR_NO_MEMORY, "no memory for %zu numbers",
                           numbers);
    }
    return ERR_OK;
}

static enum err_code put(struct job *job, enum part part, size_t row,
                         const float *values, size_t rows, struct err *e)
{
    size_t width = job->width[part];

    if (job->writer != NULL)
        return file_write(job->writer, values, rows * width * sizeof *values,
                          e);
    memcpy(job->arrays[part] + row * width, values,
           rows * width * sizeof *values);
    return ERR_OK;
}

static enum err_code close_npz(struct job *job, struct err *e)
{
    struct npz_array list[PARTS + 1];
    long long *labels = NULL;
    size_t n = 0;

    for (size_t i = 0; i < PARTS; i++) {
        if (job->wanted[i])
            list[n++] = (struct npz_array){.key = part_names[i],
                                           .rank = 2,
                                           .shape = {job->d->n, job->width[i]},
                                           .floats = job->arrays[i]};
    }
    if (job->d->labels != NULL) {
        labels = mem_array(job->d->n, sizeof *labels);
        if (labels == NULL)
            return err_set(e, ERR_NO_MEMORY, "no memory for the labels");
        for (size_t i = 0; i < job->d->n; i++)
            labels[i] = job->d->labels[i];
        list[n++] = (struct npz_array){
            .key = "labels", .rank = 1, .shape = {job->d->n}, .ints = labels};
    }
    enum err_code code = npz_write(job->args.out, list, n, e);
    mem_free(labels);
    return code;
}

static enum err_code close_output(struct job *job, struct err *e)
{
    if (job->writer == NULL)
        return close_npz(job, e);
    struct file_writer *writer = job->writer;
    job->writer = NULL;
    return file_commit(writer, e);
}

/* ---- blocks ---- */

static enum err_code run_block(struct job *job, size_t row, size_t rows,
                               struct err *e)
{
    const struct model *m = job->m;
    const struct model_options options = {.steps = 0};
    struct pass pass;
    size_t layer = job->args.layer;
    enum err_code code;

    for (size_t i = 0; i < rows; i++)
        job->index[i] = (uint32_t)(row + i);
    dataset_rows(job->d, job->index, rows, m->low, m->high, job->x);
    code = model_encode(m, &pass, job->x, rows, &options, &job->memory, e);
    if (code == ERR_OK && job->wanted[PART_CODES])
        code = put(job, PART_CODES, row, pass.layers[layer].z, rows, e);
    if (code == ERR_OK && job->wanted[PART_GROUPS]) {
        code = model_pool(m, &pass, layer, &job->memory, e);
        if (code == ERR_OK)
            code = put(job, PART_GROUPS, row, pass.layers[layer].v, rows, e);
    }
    if (code == ERR_OK && job->wanted[PART_RECONSTRUCTIONS]) {
        /* x has been read: its room is free for what is drawn. */
        code =
            model_reconstruct(m, &pass, layer, job->x, NULL, &job->memory, e);
        if (code == ERR_OK)
            code = put(job, PART_RECONSTRUCTIONS, row, job->x, rows, e);
    }
    return code;
}

static size_t choose_block(const struct job *job)
{
    const struct model_options options = {.steps = 0};
    size_t row = model_pass_bytes(job->m, 1, &options);
    size_t rows = row > 0 ? BLOCK_BYTES / row : BLOCK_ROWS;

    return rows < 1 ? 1 : rows > BLOCK_ROWS ? BLOCK_ROWS : rows;
}

static enum err_code run_blocks(struct job *job, struct err *e)
{
    size_t block = choose_block(job);

    job->index = mem_array(block, sizeof *job->index);
    job->x = mem_array(block, model_inputs(job->m) * sizeof *job->x);
    if (job->index == NULL || job->x == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu rows", block);
    for (size_t row = 0; row < job->d->n; row += block) {
        size_t rows = job->d->n - row < block ? job->d->n - row : block;
        if (run_block(job, row, rows, e) != ERR_OK)
            return err_wrap(e, "rows %zu to %zu", row, row + rows - 1);
        arena_reset(&job->memory);
    }
    return ERR_OK;
}

static enum err_code encode(struct job *job, struct err *e)
{
    arena_init(&job->memory, ARENA_BYTES);
    if (load(job, e) != ERR_OK || open_output(job, e) != ERR_OK ||
        run_blocks(job, e) != ERR_OK || close_output(job, e) != ERR_OK)
        return e->code;
    printf("%s: %zu rows\n", job->args.out, job->d->n);
    return ERR_OK;
}

static void job_fini(struct job *job)
{
    file_abandon(job->writer);
    for (size_t i = 0; i < PARTS; i++)
        mem_free(job->arrays[i]);
    mem_free(job->index);
    mem_free(job->x);
    arena_fini(&job->memory);
    dataset_free(job->d);
    model_free(job->m);
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL"};
    struct job job = {.args = {.layer = SIZE_MAX}};
    struct arguments *args = &job.args;
    struct err e;

    settings_standard(table, args);
    if (settings_read_flags(table, args, argc, argv, what, &args->model, 1,
                            &e) != ERR_OK)
        return command_refuse(&command_encode, e.msg);
    if (args->data == NULL || args->out == NULL)
        return command_refuse(&command_encode, args->data == NULL
                                                   ? "--data is missing"
                                                   : "--out is missing");
    if (!ends_with(args->out, ".npy") && !is_npz(&job))
        return command_refuse(&command_encode,
                              "--out: the name ends in .npy or .npz");
    if (read_what(&job, &e) != ERR_OK)
        return command_refuse(&command_encode, e.msg);
    enum err_code code = encode(&job, &e);
    job_fini(&job);
    return code == ERR_OK ? COMMAND_DONE : command_fail(&command_encode, &e);
}

const struct command command_encode = {
    .name = "encode",
    .usage = "MODEL --data PATH --out FILE.npy|.npz [--what LIST]\n"
             "                      [--split train|test] [--layer N]",
    .help = "writes the codes of a whole data set",
    .run = run,
    .settings = table,
};
