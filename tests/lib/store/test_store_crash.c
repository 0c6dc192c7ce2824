/* Store, sudden ends: a process that is killed in the middle of its writes, and
 * a disk that is full.
 *
 * The child is forked before it opens the store, so that nothing of a
 * connection crosses the fork.
 */
#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "lib/store/store.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_store_crash(void);

#define SIZE 200
#define ROWS 3 /* of a batch */
#define THREADS 4
#define KILLS 8

static const struct samples_limits wide = {.max_samples = 1000000,
                                           .max_labels = 256};

static char *folder;

static void set_up(void)
{
    folder = tmp_folder();
}

static void tear_down(void)
{
    tmp_remove(folder);
}

/* A batch of ROWS rows stores_row(first), ... */
struct post {
    struct store_work work; /* first */
    const char *model;
    uint64_t first;
    size_t size;
    int64_t batch, ids[ROWS];
    enum err_code code;
};

static enum err_code run_post(struct store_work *w, struct database *db,
                              struct err *e)
{
    struct post *p = (struct post *)w;
    float *x = mem_must(ROWS * p->size, sizeof *x);

    for (size_t i = 0; i < ROWS; i++)
        stores_row(x + i * p->size, p->size, p->first + i);
    const struct samples_batch b = {
        .model = p->model, .n = ROWS, .size = p->size, .x = x, .wall_ms = 1};
    enum err_code code = samples_add(db, &b, &wide, &p->batch, p->ids, e);
    mem_free(x);
    return code;
}

static struct post post_of(uint64_t first, size_t size)
{
    return (struct post){
        .work = {.run = run_post}, .model = "m", .first = first, .size = size};
}

/* ---- kill -9 ---- */

/* What the child tells through a pipe, each within one write. */
struct receipt {
    int64_t batch, ids[ROWS];
    uint64_t first;
};

struct child {
    struct store *store;
    int to;
    uint64_t number;
};

static void *post_for_ever(void *arg)
{
    struct child *c = arg;

    for (uint64_t i = 0;; i++) {
        struct post p = post_of(c->number << 32 | i << 8, SIZE);
        struct err e;
        if (store_write(c->store, &p.work, &e) != ERR_OK)
            _exit(1);
        struct receipt r = {.batch = p.batch, .first = p.first};
        memcpy(r.ids, p.ids, sizeof r.ids);
        if (write(c->to, &r, sizeof r) != sizeof r)
            _exit(1);
    }
    return NULL;
}

static void run_child(int to, uint64_t round)
{
    struct child children[THREADS];
    struct store *s = stores_open(stores_url(folder, "store.sqlite"));

    for (uint64_t i = 0; i < THREADS; i++) {
        children[i] = (struct child){s, to, round * THREADS + i};
        thread_start("post", post_for_ever, &children[i]);
    }
    pause();
}

/* Starts a child, kills it after so many receipts, adds them to `all`. */
static size_t kill_after(uint64_t round, size_t receipts, struct receipt *all,
                         size_t n, size_t room)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        run_child(ends[1], round);
    }
    close(ends[1]);
    size_t start = n;
    while (n < room && read(ends[0], &all[n], sizeof *all) == sizeof *all) {
        if (++n - start == receipts)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    return n;
}

struct found {
    const struct receipt *receipts;
    size_t n, matched, rows;
};

static bool find_row(void *arg, const struct sample *s)
{
    struct found *f = arg;

    f->rows++;
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < ROWS; k++) {
            const struct receipt *r = &f->receipts[i];
            float want[SIZE];
            if (r->ids[k] != s->id)
                continue;
            stores_row(want, SIZE, r->first + k);
            ck_assert_mem_eq(want, s->x, sizeof want);
            ck_assert_int_eq(s->batch, r->batch);
            f->matched++;
        }
    }
    return true;
}

START_TEST(what_was_told_is_there_after_a_kill)
{
    static struct receipt all[4096];
    const struct samples_filter any = {0};
    size_t n = 0;

    for (uint64_t round = 0; round < KILLS; round++) {
        struct err e = {.code = ERR_OK};
        n = kill_after(round, 1 + round * 7, all, n, 4096);
        struct store *s = stores_open(stores_url(folder, "store.sqlite"));
        struct database *db = store_begin_read(s, &e);
        struct found f = {.receipts = all, .n = n};
        ck_assert_msg(samples_each(db, "m", &any, 0, SIZE_MAX, find_row, &f,
                                   &e) == ERR_OK,
                      "%s", e.msg);
        ck_assert_uint_eq(f.matched, n * ROWS);
        ck_assert_uint_eq(f.rows % ROWS, 0); /* no batch by half */
        stores_check_counts(db, "m");
        store_end_read(s, db);
        store_close(s);
    }
}
END_TEST

/* ---- a full disk ---- */

/* As on a full disk, no file may become longer. */
static void limit_files(rlim_t bytes)
{
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void in_child(void (*run)(void))
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the child ended with %x", (unsigned)status);
}

static uint64_t stored_in(struct store *s)
{
    struct err e;
    struct database *db = store_begin_read(s, &e);

    ck_assert_ptr_nonnull(db);
    stores_check_counts(db, "m");
    struct samples_counts c = stores_count(db, "m");
    uint64_t n = c.stored;
    samples_counts_fini(&c);
    store_end_read(s, db);
    return n;
}

static void fill_and_free(void)
{
    struct store *s = stores_open(stores_url(folder, "store.sqlite"));
    struct err e = {.code = ERR_OK};
    uint64_t posts = 0;
    char why[256] = "";

    limit_files(3 << 20);
    for (;; posts++) {
        struct post p = post_of(posts * ROWS, 20000);
        if (store_write(s, &p.work, &e) != ERR_OK)
            break;
        ck_assert_uint_lt(posts, 1000);
    }
    ck_assert_msg(e.code == ERR_NO_SPACE, "%s", e.msg);
    ck_assert_uint_gt(posts, 0);
    ck_assert(!store_is_well(s, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "disk space"));
    ck_assert_uint_eq(stored_in(s), posts * ROWS);

    limit_files(RLIM_INFINITY);
    struct post p = post_of(posts++ * ROWS, 20000);
    ck_assert_msg(store_write(s, &p.work, &e) == ERR_OK, "%s", e.msg);
    ck_assert(store_is_well(s, why, sizeof why));
    ck_assert_uint_eq(stored_in(s), posts * ROWS);
    store_close(s);
}

START_TEST(a_full_disk_refuses_and_keeps_what_was_told)
{
    in_child(fill_and_free);
}
END_TEST

/* Holds the writer until it is let go, so that the next ones share a commit. */
struct stopper {
    struct store_work work; /* first */
    atomic_bool runs, go;
};

static enum err_code run_stopper(struct store_work *w, struct database *db,
                                 struct err *e)
{
    struct stopper *s = (struct stopper *)w;

    (void)db;
    (void)e;
    atomic_store(&s->runs, true);
    while (!atomic_load(&s->go))
        clock_sleep(1000);
    return ERR_OK;
}

static void ignore_done(struct store_work *w, const struct err *e)
{
    (void)w;
    (void)e;
}

static void note_done(struct store_work *w, const struct err *e)
{
    ((struct post *)w)->code = e->code;
}

static void blame_the_large(void)
{
    struct store *s = stores_open(stores_url(folder, "store.sqlite"));
    struct stopper stopper = {
        .work = {.run = run_stopper, .done = ignore_done}};
    struct post posts[5];
    struct err e = {.code = ERR_OK};

    limit_files(2 << 20);
    ck_assert_int_eq(store_submit(s, &stopper.work, &e), ERR_OK);
    while (!atomic_load(&stopper.runs))
        clock_sleep(1000);
    for (size_t i = 0; i < 5; i++) {
        posts[i] = post_of(i * ROWS, SIZE);
        posts[i].work.done = note_done;
        if (i == 2) {
            posts[i].model = "large";
            posts[i].size = 400000;
        }
        ck_assert_int_eq(store_submit(s, &posts[i].work, &e), ERR_OK);
    }
    atomic_store(&stopper.go, true);
    store_close(s);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(posts[i].code, i == 2 ? ERR_NO_SPACE : ERR_OK);
    s = stores_open(stores_url(folder, "store.sqlite"));
    ck_assert_uint_eq(stored_in(s), 4 * ROWS);
    store_close(s);
}

START_TEST(those_not_to_blame_for_a_full_disk_are_kept)
{
    in_child(blame_the_large);
}
END_TEST

static void open_without_room(void)
{
    const struct store_settings settings = {.url = stores_url(folder, "new"),
                                            .max_waiting = 1};
    struct err e = {.code = ERR_OK};

    limit_files(6000);
    ck_assert_ptr_null(store_open(&settings, &e));
    ck_assert_msg(e.code == ERR_NO_SPACE, "%s", e.msg);
    limit_files(RLIM_INFINITY);
    store_close(stores_open(settings.url));
}

START_TEST(a_new_store_needs_room)
{
    in_child(open_without_room);
}
END_TEST

Suite *suite_store_crash(void)
{
    Suite *s = suite_create("store_crash");
    TCase *t = tcase_create("kill");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_was_told_is_there_after_a_kill);
    suite_add_tcase(s, t);

    t = tcase_create("full");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_full_disk_refuses_and_keeps_what_was_told);
    tcase_add_test(t, those_not_to_blame_for_a_full_disk_are_kept);
    tcase_add_test(t, a_new_store_needs_room);
    suite_add_tcase(s, t);
    return s;
}
