/* Store: group commit with many threads, savepoints, bounds, readers, opening.
 */
#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/store/jobs.h"
#include "lib/store/store.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdatomic.h>
#include <string.h>

Suite *suite_store(void);

#define SIZE 16
#define THREADS 64
#define POSTS 5

static const struct samples_limits wide = {.max_samples = 1000000,
                                           .max_labels = 256};

static char *folder;
static struct store *store;

static void set_up(void)
{
    folder = tmp_folder();
    store = stores_open(stores_url(folder, "store.sqlite"));
}

static void tear_down(void)
{
    store_close(store);
    tmp_remove(folder);
}

/* One row stores_row(which), or an error after it was added. */
struct post {
    struct store_work work; /* first */
    uint64_t which;
    bool fails;
    int64_t id;
    atomic_int runs;
    atomic_int done; /* how often */
    enum err_code code;
};

static enum err_code run_post(struct store_work *w, struct database *db,
                              struct err *e)
{
    struct post *p = (struct post *)w;
    float x[SIZE];
    int64_t batch;

    atomic_fetch_add(&p->runs, 1);
    stores_row(x, SIZE, p->which);
    const struct samples_batch b = {
        .model = "m", .n = 1, .size = SIZE, .x = x, .wall_ms = 1};
    if (samples_add(db, &b, &wide, &batch, &p->id, e) != ERR_OK)
        return e->code;
    return p->fails ? err_set(e, ERR_SHAPE, "not this one") : ERR_OK;
}

static void note_done(struct store_work *w, const struct err *e)
{
    struct post *p = (struct post *)w;

    p->code = e->code;
    atomic_fetch_add(&p->done, 1);
}

static struct post post_of(uint64_t which, bool fails)
{
    return (struct post){
        .work = {.run = run_post, .done = note_done, .bytes = 64},
        .which = which,
        .fails = fails};
}

static void wait_for(struct post *p)
{
    for (int i = 0; atomic_load(&p->done) == 0 && i < 2000; i++)
        clock_sleep(5000);
    ck_assert_int_eq(atomic_load(&p->done), 1);
}

static uint64_t stored(void)
{
    struct err e = {.code = ERR_OK};
    struct database *db = store_begin_read(store, &e);

    ck_assert_msg(db != NULL, "%s", e.msg);
    struct samples_counts c = stores_count(db, "m");
    uint64_t n = c.stored;
    samples_counts_fini(&c);
    store_end_read(store, db);
    return n;
}

/* ---- writing ---- */

static void *post_some(void *arg)
{
    uint64_t first = *(const uint64_t *)arg;

    for (uint64_t i = 0; i < POSTS; i++) {
        struct post p = post_of(first + i, i == 2);
        struct err e = {.code = ERR_OK};
        enum err_code code = store_write(store, &p.work, &e);
        ck_assert_int_eq(code, i == 2 ? ERR_SHAPE : ERR_OK);
        ck_assert_int_eq(atomic_load(&p.done), 0);
    }
    return NULL;
}

static bool check_row(void *arg, const struct sample *s)
{
    bool *seen = arg;
    float want[SIZE];

    for (uint64_t i = 0; i < (uint64_t)THREADS * POSTS; i++) {
        stores_row(want, SIZE, i);
        if (memcmp(want, s->x, sizeof want) == 0) {
            ck_assert(!seen[i]);
            seen[i] = true;
            return true;
        }
    }
    ck_abort_msg("a row that nobody posted");
    return false;
}

START_TEST(threads_that_write_at_once_all_get_theirs)
{
    const struct samples_filter any = {0};
    bool seen[THREADS * POSTS] = {false};
    uint64_t first[THREADS];
    pthread_t threads[THREADS];
    struct err e;

    for (size_t i = 0; i < THREADS; i++) {
        first[i] = i * POSTS;
        threads[i] = thread_start("post", post_some, &first[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    struct database *db = store_begin_read(store, &e);
    ck_assert_int_eq(
        samples_each(db, "m", &any, 0, SIZE_MAX, check_row, seen, &e), ERR_OK);
    store_end_read(store, db);
    for (size_t i = 0; i < (size_t)THREADS * POSTS; i++)
        ck_assert_int_eq(seen[i], i % POSTS != 2);
    char why[10];
    ck_assert(store_is_well(store, why, sizeof why));
}
END_TEST

START_TEST(done_is_told_once_after_it_is_there)
{
    struct post posts[20];
    struct err e;

    for (size_t i = 0; i < 20; i++) {
        posts[i] = post_of(i, i % 4 == 3);
        ck_assert_int_eq(store_submit(store, &posts[i].work, &e), ERR_OK);
    }
    for (size_t i = 0; i < 20; i++) {
        wait_for(&posts[i]);
        ck_assert_int_eq(posts[i].code, i % 4 == 3 ? ERR_SHAPE : ERR_OK);
    }
    ck_assert_uint_eq(stored(), 15);
}
END_TEST

START_TEST(closing_runs_what_waits)
{
    struct post posts[20];
    struct err e;

    for (size_t i = 0; i < 20; i++) {
        posts[i] = post_of(i, false);
        ck_assert_int_eq(store_submit(store, &posts[i].work, &e), ERR_OK);
    }
    store_close(store);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_int_eq(atomic_load(&posts[i].done), 1);
        ck_assert_int_eq(posts[i].code, ERR_OK);
    }
    store = stores_open(stores_url(folder, "store.sqlite"));
    ck_assert_uint_eq(stored(), 20);
}
END_TEST

/* Holds the writer until it is let go. */
struct stopper {
    struct store_work work; /* first */
    atomic_bool runs, go;
    atomic_bool done;
    struct store_work *then; /* submitted by done */
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

static void stopper_done(struct store_work *w, const struct err *e)
{
    struct stopper *s = (struct stopper *)w;
    struct err ignored;

    (void)e;
    if (s->then != NULL)
        ck_assert_int_eq(store_submit(store, s->then, &ignored), ERR_OK);
    atomic_store(&s->done, true);
}

static void hold(struct stopper *s, struct store_work *then)
{
    struct err e;

    *s = (struct stopper){.work = {.run = run_stopper, .done = stopper_done},
                          .then = then};
    ck_assert_int_eq(store_submit(store, &s->work, &e), ERR_OK);
    while (!atomic_load(&s->runs))
        clock_sleep(1000);
}

START_TEST(what_may_wait_is_bounded)
{
    const struct store_settings small = {.url = stores_url(folder, "small"),
                                         .max_waiting = 3,
                                         .max_waiting_bytes = 100};
    struct post posts[3];
    struct stopper stopper;
    struct err e;

    store_close(store);
    store = store_open(&small, &e);
    hold(&stopper, NULL);
    posts[0] = post_of(0, false);
    ck_assert_int_eq(store_submit(store, &posts[0].work, &e), ERR_OK);
    posts[1] = post_of(1, false); /* 128 bytes */
    ck_assert_int_eq(store_submit(store, &posts[1].work, &e), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(e.msg, "64 bytes"));
    posts[1].work.bytes = 0;
    ck_assert_int_eq(store_submit(store, &posts[1].work, &e), ERR_OK);
    posts[2] = post_of(2, false);
    posts[2].work.bytes = 0; /* the fourth piece */
    ck_assert_int_eq(store_submit(store, &posts[2].work, &e), ERR_BUSY);
    atomic_store(&stopper.go, true);
    wait_for(&posts[0]);
    wait_for(&posts[1]);
    ck_assert_int_eq(atomic_load(&posts[2].done), 0);
    ck_assert_int_eq(atomic_load(&posts[2].runs), 0);
    ck_assert_uint_eq(stored(), 2);
    /* Alone, a piece may be larger than the bound. */
    posts[2].work.bytes = 1000;
    ck_assert_int_eq(store_submit(store, &posts[2].work, &e), ERR_OK);
    wait_for(&posts[2]);
}
END_TEST

START_TEST(done_may_submit_more)
{
    struct post post = post_of(0, false);
    struct stopper stopper;

    hold(&stopper, &post.work);
    atomic_store(&stopper.go, true);
    wait_for(&post);
    ck_assert_int_eq(post.code, ERR_OK);
}
END_TEST

/* ---- reading ---- */

START_TEST(a_reader_sees_one_moment)
{
    struct post p = post_of(0, false);
    struct err e = {.code = ERR_OK};

    ck_assert_int_eq(store_write(store, &p.work, &e), ERR_OK);
    struct database *db = store_begin_read(store, &e);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 1);
    samples_counts_fini(&c);
    p = post_of(1, false);
    ck_assert_int_eq(store_write(store, &p.work, &e), ERR_OK);
    c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 1);
    samples_counts_fini(&c);
    store_end_read(store, db);
    ck_assert_uint_eq(stored(), 2);
}
END_TEST

START_TEST(a_reader_cannot_write)
{
    struct err e = {.code = ERR_OK};
    struct database *db = store_begin_read(store, &e);
    struct query q;

    query_begin(&q, db, "INSERT INTO counters (name, value) VALUES ('x', 1)");
    ck_assert_int_eq(query_run(&q, &e), ERR_DENIED);
    store_end_read(store, db);
}
END_TEST

static void *read_some(void *arg)
{
    atomic_int *open = arg;

    for (int i = 0; i < 10; i++) {
        struct err e = {.code = ERR_OK};
        struct database *db = store_begin_read(store, &e);
        ck_assert_ptr_nonnull(db);
        ck_assert_int_lt(atomic_fetch_add(open, 1), 4);
        struct samples_counts c = stores_count(db, "m");
        samples_counts_fini(&c);
        clock_sleep(1000);
        atomic_fetch_sub(open, 1);
        store_end_read(store, db);
    }
    return NULL;
}

START_TEST(readers_wait_for_a_connection)
{
    pthread_t threads[12];
    atomic_int open = 0;
    struct post p = post_of(0, false);
    struct err e;

    for (size_t i = 0; i < 12; i++)
        threads[i] = thread_start("read", read_some, &open);
    ck_assert_int_eq(store_write(store, &p.work, &e), ERR_OK);
    for (size_t i = 0; i < 12; i++)
        thread_join(threads[i]);
    ck_assert_uint_eq(stored(), 1);
}
END_TEST

/* ---- beside another process ---- */

START_TEST(two_stores_of_one_file_take_turns)
{
    struct store *mine = store;
    struct store *other = stores_open(stores_url(folder, "store.sqlite"));
    struct err e;

    for (uint64_t i = 0; i < 20; i++) {
        struct post p = post_of(i, false);
        ck_assert_int_eq(store_write(i % 2 ? mine : other, &p.work, &e),
                         ERR_OK);
        ck_assert_int_eq(p.id, (int64_t)i + 1);
    }
    store_close(other);
    ck_assert_uint_eq(stored(), 20);
}
END_TEST

Suite *suite_store(void)
{
    Suite *s = suite_create("store");
    TCase *t = tcase_create("writing");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, threads_that_write_at_once_all_get_theirs);
    tcase_add_test(t, done_is_told_once_after_it_is_there);
    tcase_add_test(t, closing_runs_what_waits);
    tcase_add_test(t, what_may_wait_is_bounded);
    tcase_add_test(t, done_may_submit_more);
    suite_add_tcase(s, t);

    t = tcase_create("reading");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_reader_sees_one_moment);
    tcase_add_test(t, a_reader_cannot_write);
    tcase_add_test(t, readers_wait_for_a_connection);
    tcase_add_test(t, two_stores_of_one_file_take_turns);
    suite_add_tcase(s, t);
    return s;
}
