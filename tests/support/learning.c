/* The model is trained on few rows for one epoch, so that there is much left to
 * learn. */
#include "tests/support/learning.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/model/model_file.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE ((usec)60000000)

static const char recipe_text[] =
    "{\"seed\":3,\"validation\":10,\"batch\":16,"
    "\"classes\":[\"0\",\"1\",\"2\"],"
    "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[{"
    "\"operator\":\"dense\",\"units\":16,"
    "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"
    "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}],"
    "\"classifier\":{\"input\":\"code\"}},"
    "\"phases\":[{\"name\":\"joint\",\"epochs\":1,"
    "\"weights\":{\"reconstruction\":1,\"structure\":1,\"classification\":1},"
    "\"optimiser\":{\"kind\":\"adam\",\"rate\":0.01}}]}";

static void must(enum err_code code, const struct err *e)
{
    ck_assert_msg(code == ERR_OK, "%s", e->msg);
}

static void save_model(const char *folder)
{
    struct train_options options = {.threads = 1, .seed = 3};
    struct err e;
    struct recipe *recipe =
        recipe_parse(recipe_text, sizeof recipe_text - 1, &e);

    ck_assert_msg(recipe != NULL, "%s", e.msg);
    struct model *m = train_run(recipe, blobs(40, 1), &options, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    must(file_make_folders(tmp_path(folder, "models/" LEARNING_MODEL "/1"), &e),
         &e);
    must(model_save(
             m,
             tmp_path(folder, "models/" LEARNING_MODEL "/1/" MODEL_FILE_NAME),
             &e),
         &e);
    model_free(m);
    recipe_free(recipe);
}

void learning_make(struct learning_set *s)
{
    log_set(LOG_ERROR, LOG_TEXT);
    *s = (struct learning_set){.folder = tmp_folder()};
    s->settings = (struct learner_settings){.threads = 2, .keep_versions = 5};
    save_model(s->folder);
}

void learning_open_store(struct learning_set *s)
{
    char url[4096];
    struct err e;

    snprintf(url, sizeof url, "sqlite:%s/store.sqlite", s->folder);
    struct store_settings settings = {
        .url = url, .max_waiting = 1000, .max_waiting_bytes = 1 << 26};
    s->store = store_open(&settings, &e);
    ck_assert_msg(s->store != NULL, "%s", e.msg);
    s->registry = registry_new();
    ck_assert_ptr_nonnull(s->registry);
    must(registry_load(s->registry, tmp_path(s->folder, "models"), &e), &e);
}

void learning_open(struct learning_set *s)
{
    struct err e;

    learning_open_store(s);
    snprintf(s->data_dir, sizeof s->data_dir, "%s/data", s->folder);
    s->settings.store = s->store;
    s->settings.registry = s->registry;
    s->settings.data_dir = s->data_dir;
    s->learner = learner_new(&s->settings, &e);
    ck_assert_msg(s->learner != NULL, "%s", e.msg);
}

void learning_close(struct learning_set *s)
{
    learner_free(s->learner);
    s->learner = NULL;
    store_close(s->store);
    s->store = NULL;
    registry_free(s->registry);
    s->registry = NULL;
}

void learning_remove(struct learning_set *s)
{
    learning_close(s);
    tmp_remove(s->folder);
    s->folder = NULL;
}

/* ---- samples ---- */

struct post {
    struct store_work work;
    struct samples_batch batch;
    int64_t id, ids[BLOBS_MAX_ROWS];
};

static enum err_code run_post(struct store_work *w, struct database *db,
                              struct err *e)
{
    static const struct samples_limits limits = {.max_samples = 100000,
                                                 .max_labels = 100};
    struct post *p = (struct post *)w;

    return samples_add(db, &p->batch, &limits, &p->id, p->ids, e);
}

static void post(struct learning_set *s, size_t n, uint64_t seed,
                 const char *const *labels)
{
    struct post p = {.work = {.run = run_post},
                     .batch = {.model = LEARNING_MODEL,
                               .n = n,
                               .size = BLOBS_INPUTS,
                               .x = blobs(n, seed)->floats,
                               .labels = labels,
                               .wall_ms = clock_wall() / 1000}};
    struct err e;

    must(store_write(s->store, &p.work, &e), &e);
    if (s->learner != NULL)
        learner_wake(s->learner);
}

void learning_post(struct learning_set *s, size_t n, uint64_t seed,
                   const char *label)
{
    static const char *const names[] = {"0", "1", "2"};
    const char *labels[BLOBS_MAX_ROWS];
    const struct dataset *d = blobs(n, seed);

    for (size_t i = 0; i < n; i++)
        labels[i] = label != NULL ? label : names[d->labels[i]];
    post(s, n, seed, labels);
}

void learning_post_unlabelled(struct learning_set *s, size_t n, uint64_t seed)
{
    post(s, n, seed, NULL);
}

struct deletion {
    struct store_work work;
    struct samples_filter filter;
};

static enum err_code run_deletion(struct store_work *w, struct database *db,
                                  struct err *e)
{
    struct deletion *d = (struct deletion *)w;
    uint64_t deleted;

    return samples_delete(db, LEARNING_MODEL, &d->filter, &deleted, e);
}

void learning_delete(struct learning_set *s, const char *label)
{
    struct deletion d = {.work = {.run = run_deletion},
                         .filter = {.label = label}};
    struct err e;

    must(store_write(s->store, &d.work, &e), &e);
}

/* ---- jobs ---- */

struct job_work {
    struct store_work work;
    struct job job;
    int64_t id;
};

static enum err_code run_add(struct store_work *w, struct database *db,
                             struct err *e)
{
    struct job_work *j = (struct job_work *)w;

    return jobs_add(db, &j->job, &j->id, e);
}

int64_t learning_start(struct learning_set *s, const char *options)
{
    struct job_work w = {.work = {.run = run_add},
                         .job = {.model = LEARNING_MODEL,
                                 .trigger = "request",
                                 .created_ms = clock_wall() / 1000}};
    char text[1000];
    struct err e;

    snprintf(text, sizeof text, "%s", options);
    w.job.options = text;
    must(store_write(s->store, &w.work, &e), &e);
    if (s->learner != NULL)
        learner_wake(s->learner);
    return w.id;
}

static enum err_code run_cancel(struct store_work *w, struct database *db,
                                struct err *e)
{
    struct job_work *j = (struct job_work *)w;
    enum job_state state;

    return jobs_cancel(db, j->id, clock_wall() / 1000, &state, e);
}

void learning_cancel(struct learning_set *s, int64_t id)
{
    struct job_work w = {.work = {.run = run_cancel}, .id = id};
    struct err e;

    must(store_write(s->store, &w.work, &e), &e);
    learner_wake(s->learner);
}

static enum err_code run_fail(struct store_work *w, struct database *db,
                              struct err *e)
{
    struct job_work *work = (struct job_work *)w;
    struct job j;

    if (jobs_get(db, work->id, &j, e) != ERR_OK)
        return e->code;
    j.state = JOB_FAILED;
    j.version = work->job.version;
    enum err_code code = jobs_update(db, &j, e);
    job_fini(&j);
    return code;
}

void learning_fail(struct learning_set *s, int64_t id, uint64_t version)
{
    struct job_work w = {
        .work = {.run = run_fail}, .job = {.version = version}, .id = id};
    struct err e;

    must(store_write(s->store, &w.work, &e), &e);
}

static struct database *begin_read(struct learning_set *s)
{
    struct err e;
    struct database *db = store_begin_read(s->store, &e);

    ck_assert_msg(db != NULL, "%s", e.msg);
    return db;
}

struct job learning_job(struct learning_set *s, int64_t id)
{
    struct database *db = begin_read(s);
    struct job j;
    struct err e;

    must(jobs_get(db, id, &j, &e), &e);
    store_end_read(s->store, db);
    return j;
}

struct job learning_wait(struct learning_set *s, int64_t id)
{
    usec until = clock_now() + PATIENCE;

    for (;;) {
        struct learner_progress p;
        size_t n;
        bool runs = learner_look(s->learner, id, &p, 0, NULL, 0, &n);
        struct job j = learning_job(s, id);
        if (!runs && job_state_ended(j.state))
            return j;
        job_fini(&j);
        ck_assert_msg(clock_now() < until, "the job does not end");
        clock_sleep(5000);
    }
}

/* ---- versions ---- */

uint64_t learning_serves(struct learning_set *s)
{
    struct err e;
    const struct served *served =
        registry_acquire(s->registry, LEARNING_MODEL, 0, &e);

    ck_assert_msg(served != NULL, "%s", e.msg);
    uint64_t version = served->version;
    registry_release(s->registry, served);
    return version;
}

uint64_t learning_recorded(struct learning_set *s)
{
    struct database *db = begin_read(s);
    uint64_t version;
    struct err e;

    must(versions_get_service(db, LEARNING_MODEL, &version, &e), &e);
    store_end_read(s->store, db);
    return version;
}

struct serve {
    struct store_work work;
    uint64_t version;
};

static enum err_code run_serve(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct serve *serve = (struct serve *)w;

    return versions_set_service(db, LEARNING_MODEL, serve->version,
                                clock_wall() / 1000, e);
}

void learning_record(struct learning_set *s, uint64_t version)
{
    struct serve w = {.work = {.run = run_serve}, .version = version};
    struct err e;

    must(store_write(s->store, &w.work, &e), &e);
}

void learning_serve(struct learning_set *s, uint64_t version)
{
    struct err e;

    learning_record(s, version);
    must(registry_activate(s->registry, LEARNING_MODEL, version, &e), &e);
}

static bool print_stored(void *arg, const struct stored_version *v)
{
    buf_printf(arg, "%" PRIu64 " ", v->version);
    return true;
}

static bool print_loaded(void *arg, uint64_t version, bool in_service)
{
    buf_printf(arg, "%" PRIu64 "%s ", version, in_service ? "*" : "");
    return true;
}

/* Keeps the text of b, which is emptied. */
static const char *keep(struct buf *b)
{
    static char text[1000];

    snprintf(text, sizeof text, "%s", b->data != NULL ? b->data : "");
    buf_fini(b);
    return text;
}

const char *learning_versions(struct learning_set *s)
{
    struct database *db = begin_read(s);
    struct buf b;
    struct err e;

    buf_init(&b, 1000);
    must(versions_each(db, LEARNING_MODEL, print_stored, &b, &e), &e);
    store_end_read(s->store, db);
    return keep(&b);
}

const char *learning_loaded(struct learning_set *s)
{
    struct buf b;

    buf_init(&b, 1000);
    registry_each_version(s->registry, LEARNING_MODEL, print_loaded, &b);
    return keep(&b);
}

const char *learning_folder(struct learning_set *s, uint64_t version)
{
    char name[100];

    snprintf(name, sizeof name, "data/models/" LEARNING_MODEL "/%" PRIu64,
             version);
    return tmp_path(s->folder, name);
}
