/* Mutex, condition and threads. */
#include "lib/base/lock.h"

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_lock(void);

struct shared {
    struct lock lock;
    struct cond changed;
    long count; /* all below guarded by lock */
    bool ready;
    bool held_elsewhere;
    bool term_blocked;
    char name[32];
};

static void init(struct shared *s)
{
    memset(s, 0, sizeof *s);
    lock_init(&s->lock);
    cond_init(&s->changed);
}

static void fini(struct shared *s)
{
    cond_fini(&s->changed);
    lock_fini(&s->lock);
}

static void *count_up(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < 20000; i++) {
        lock_take(&s->lock);
        s->count++;
        lock_drop(&s->lock);
    }
    return NULL;
}

START_TEST(no_increment_is_lost)
{
    struct shared s;
    pthread_t threads[4];

    init(&s);
    for (int i = 0; i < 4; i++)
        threads[i] = thread_start("count", count_up, &s);
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    ck_assert_int_eq(s.count, 80000);
    fini(&s);
}
END_TEST

static void *look_at_lock(void *arg)
{
    struct shared *s = arg;

    s->held_elsewhere = lock_held(&s->lock);
    return NULL;
}

START_TEST(held_is_true_for_the_owner_only)
{
    struct shared s;

    init(&s);
    ck_assert(!lock_held(&s.lock));
    lock_take(&s.lock);
    ck_assert(lock_held(&s.lock));
    s.held_elsewhere = true;
    thread_join(thread_start("look", look_at_lock, &s));
    ck_assert(!s.held_elsewhere);
    lock_drop(&s.lock);
    ck_assert(!lock_held(&s.lock));
    fini(&s);
}
END_TEST

static void *make_ready(void *arg)
{
    struct shared *s = arg;

    lock_take(&s->lock);
    s->ready = true;
    cond_broadcast(&s->changed);
    lock_drop(&s->lock);
    return NULL;
}

START_TEST(a_waiter_is_woken_and_holds_the_lock)
{
    struct shared s;

    init(&s);
    lock_take(&s.lock);
    pthread_t thread = thread_start("ready", make_ready, &s);
    while (!s.ready)
        cond_wait(&s.changed, &s.lock);
    ck_assert(lock_held(&s.lock));
    lock_drop(&s.lock);
    thread_join(thread);
    fini(&s);
}
END_TEST

START_TEST(a_deadline_ends_the_wait_and_not_before)
{
    struct shared s;

    init(&s);
    lock_take(&s.lock);
    usec deadline = clock_now() + 20000;
    while (cond_wait_until(&s.changed, &s.lock, deadline))
        continue;
    ck_assert_int_ge(clock_now(), deadline);
    ck_assert(lock_held(&s.lock));
    ck_assert(!cond_wait_until(&s.changed, &s.lock, -1));
    pthread_t thread = thread_start("ready", make_ready, &s);
    bool in_time = true;
    while (!s.ready && in_time)
        in_time =
            cond_wait_until(&s.changed, &s.lock, clock_now() + 10 * 1000000);
    ck_assert(in_time && s.ready);
    lock_drop(&s.lock);
    thread_join(thread);
    fini(&s);
}
END_TEST

/* The status of a child that misuses a lock. */
static int status_of_misuse(void (*misuse)(struct lock *))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct lock l;
        close(STDERR_FILENO);
        lock_init(&l);
        misuse(&l);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void take_twice(struct lock *l)
{
    lock_take(l);
    lock_take(l);
}

static void drop_free_lock(struct lock *l)
{
    lock_drop(l);
}

START_TEST(misuse_ends_the_process)
{
    int twice = status_of_misuse(take_twice);
    int not_held = status_of_misuse(drop_free_lock);

    ck_assert(WIFSIGNALED(twice) && WTERMSIG(twice) == SIGABRT);
    ck_assert(WIFSIGNALED(not_held) && WTERMSIG(not_held) == SIGABRT);
}
END_TEST

static void *look_at_thread(void *arg)
{
    struct shared *s = arg;
    sigset_t blocked;

    lock_take(&s->lock); /* the name is given after the start */
    while (!s->ready)
        cond_wait(&s->changed, &s->lock);
    lock_drop(&s->lock);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    s->term_blocked = sigismember(&blocked, SIGTERM) == 1;
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    return NULL;
}

START_TEST(threads_have_a_name_and_take_no_signals)
{
    struct shared s;
    sigset_t blocked;

    init(&s);
    pthread_t thread =
        thread_start("a-name-that-is-too-long", look_at_thread, &s);
    make_ready(&s);
    thread_join(thread);
    ck_assert(s.term_blocked);
    ck_assert_str_eq(s.name, "a-name-that-is-");
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ck_assert_int_eq(sigismember(&blocked, SIGTERM), 0);
    fini(&s);
}
END_TEST

static bool is_low(void)
{
    return sched_getscheduler(0) == SCHED_IDLE ||
           getpriority(PRIO_PROCESS, 0) == 19;
}

static void *look_whether_low(void *arg)
{
    *(bool *)arg = is_low();
    return NULL;
}

static void *lower_and_start_another(void *arg)
{
    thread_lower();
    thread_join(thread_start("child", look_whether_low, arg));
    return NULL;
}

START_TEST(a_lowered_thread_lowers_those_that_it_starts_and_no_other)
{
    bool child_is_low = false;

    thread_join(thread_start("low", lower_and_start_another, &child_is_low));
    ck_assert(child_is_low);
    ck_assert(!is_low());
}
END_TEST

Suite *suite_lock(void)
{
    Suite *s = suite_create("lock");
    TCase *locks = tcase_create("locks");
    TCase *conditions = tcase_create("conditions");
    TCase *threads = tcase_create("threads");

    tcase_add_test(locks, no_increment_is_lost);
    tcase_add_test(locks, held_is_true_for_the_owner_only);
    tcase_add_test(locks, misuse_ends_the_process);
    tcase_add_test(conditions, a_waiter_is_woken_and_holds_the_lock);
    tcase_add_test(conditions, a_deadline_ends_the_wait_and_not_before);
    tcase_add_test(threads, threads_have_a_name_and_take_no_signals);
    tcase_add_test(threads,
                   a_lowered_thread_lowers_those_that_it_starts_and_no_other);
    suite_add_tcase(s, locks);
    suite_add_tcase(s, conditions);
    suite_add_tcase(s, threads);
    return s;
}
