"""What is learned, what is forgotten, what is refused, and when it begins."""
import time

import numpy as np
from support import learning
from support.learning import OLD, begin, file_of, metadata, recall, until


def MODELS(folder):
    return learning.train(folder)


def test_promote(t):
    """never makes a version and leaves the old one in; always puts it in"""
    one = begin(t)
    one.teach("e", 60)
    job = one.learn(promote="never")
    assert not job["promoted"] and job["version"] == 1001, job
    assert one.in_service() == 1 and set(one.versions()) == {1, 1001}
    one.activate(1001)
    assert recall(one, "e")[1] >= 0.95
    job = one.learn(promote="always", epochs=1)
    assert job["promoted"] and one.in_service() == job["version"] == 1002
    assert job["parent"] == 1001, job


def test_divergence(t):
    """A huge rate fails or is refused by the gate; the old version stays"""
    one = begin(t)
    one.teach("e", 60)
    x = learning.rows("a", 5)
    before = one.classify(x)
    for rate in (1e6, 100):
        job = one.wait(one.tune(learning_rate=rate, epochs=5)["id"])
        assert job["state"] in ("failed", "succeeded"), job
        assert not job["promoted"] and job["reason"], job
        assert one.classify(x) == before and one.in_service() == 1
    for version in set(one.versions()) - {1}:
        metadata(file_of(one, version))
    # The next one, with sense, does well.
    assert one.learn()["promoted"]


def test_mislabelled(t):
    """Wrong labels are not promoted by themselves"""
    one = begin(t)
    rng = np.random.default_rng(3)
    x, labels = learning.mixed(OLD, 60, seed=3)
    one.keep(x, rng.permutation(labels))
    job = one.learn()
    assert not job["promoted"] and one.in_service() == 1, job
    assert job["reason"] and job["before"] and job["after"], job


def test_swapped_labels(t):
    """Labels swapped throughout do not pass where the operator gave rows to
    test on"""
    folder = t.folder()
    x, labels = learning.mixed(OLD, 50, seed=11)
    (folder / "test.npz").write_bytes(learning.npz(x=x, y=np.array(
        [OLD.index(label) for label in labels])))
    one = begin(t, "--test-data", "shapes=%s" % (folder / "test.npz"))
    x, labels = learning.mixed("ab", 100, seed=3)
    one.keep(x, ["b" if label == "a" else "a" for label in labels])
    job = one.learn()
    assert not job["promoted"] and one.in_service() == 1, job
    assert job["before"]["test"]["rows"] == 200, job
    assert job["before"]["test"]["error"] <= job["after"]["test"]["error"]


def test_unlabelled(t):
    """Unlabelled rows alone train what needs no label; classes stay"""
    one = begin(t)
    x, _ = learning.mixed("ef", 60)
    one.keep(x)
    job = one.learn(promote="always")
    assert job["version"] == 1001, job
    assert one.info()["classes"] == list(OLD)
    for label in OLD:
        assert recall(one, label)[1] >= 0.9, label


def test_old_classes_stay(t):
    """Samples of a new class alone do not make it forget the old ones"""
    one = begin(t)
    one.teach("e", 100)
    assert one.learn()["promoted"]
    for label in OLD + "e":
        assert recall(one, label)[1] >= 0.95, label


def test_label_by_label(t):
    """Three new classes, one after another, each job from the last version"""
    one = begin(t)
    for i, label in enumerate("efg"):
        one.teach(label, 60, seed=i)
        job = one.learn()
        assert job["promoted"] and job["version"] == 1001 + i, job
        assert job["parent"] == (1000 + i if i else 1), job
    for label in OLD + "efg":
        assert recall(one, label)[1] >= 0.9, label


def test_after_many_samples(t):
    """--fine-tune-after 50: the fiftieth new sample starts a job"""
    one = begin(t, "--fine-tune-after", "50")
    one.teach("e", 49)
    time.sleep(0.5)
    assert one.jobs() == []
    one.teach("e", 1, seed=1)
    job = until(one.jobs, bool)[0]
    assert job["trigger"] == "samples", job
    job = one.wait(job["id"])
    assert job["promoted"], job
    time.sleep(0.5)
    assert len(one.jobs()) == 1
    one.teach("f", 50)
    job = one.wait(until(one.jobs, lambda jobs: len(jobs) == 2)[0]["id"])
    assert job["promoted"] and job["parent"] == 1001, job


def test_by_the_clock(t):
    """--fine-tune-every 1: a job a second where there are new samples, else
    none"""
    one = begin(t, "--fine-tune-every", "1")
    time.sleep(1.5)
    assert one.jobs() == []
    one.teach("e", 60)
    job = until(one.jobs, bool)[0]
    assert job["trigger"] == "clock", job
    one.wait(job["id"])
    time.sleep(2)
    assert len(one.jobs()) == 1


def test_rehearsal_of_the_operator(t):
    """--rehearsal NAME=PATH is trained on beside the samples"""
    folder = t.folder()
    x, labels = learning.mixed(OLD, 50, seed=21)
    path = folder / "old.npz"
    path.write_bytes(learning.npz(x=x, y=np.array(
        [OLD.index(label) for label in labels])))
    one = begin(t, "--rehearsal", "shapes=%s" % path)
    one.teach("e", 50)
    assert one.learn()["promoted"]
    for label in OLD + "e":
        assert recall(one, label)[1] >= 0.95, label


def test_deleted_samples_are_not_learned(t):
    """A class whose samples were deleted is not added"""
    one = begin(t)
    one.teach("e", 30)
    one.teach("f", 30)
    one.call("DELETE", one.path + "/samples?label=f", want=200)
    one.learn(promote="always", epochs=2)
    assert one.info()["classes"] == [*OLD, "e"]
    one.call("DELETE", one.path + "/samples?all=true", want=200)
    one.tune(want=422)
