"""linear5 and twin of benchmarks/models.py as viewflow's classes.

viewflow has no multi-instance, and a sub-process only in its paid edition: the five votes are five tasks between a split and a
join, and the called process's task stands in the flow itself.
"""

from __future__ import annotations

from datetime import timedelta

from viewflow import this
from viewflow.workflow import flow, lock
from viewflow.workflow.activation import Activation
from viewflow.workflow.flow import views


def person() -> flow.View:
    """Return a user task that belongs to rita as soon as it opens, which spares claiming it."""
    return flow.View(views.UpdateProcessView.as_view(fields=[])).Assign(username="rita")


class Linear5(flow.Flow):
    """Five user tasks in a row."""

    lock_impl = lock.select_for_update_lock

    start = flow.StartHandle().Next(this.t1)
    t1 = person().Next(this.t2)
    t2 = person().Next(this.t3)
    t3 = person().Next(this.t4)
    t4 = person().Next(this.t5)
    t5 = person().Next(this.end)
    end = flow.End()


class Twin(flow.Flow):
    """Twelve user tasks, four gateways, five scripts and a timer."""

    lock_impl = lock.select_for_update_lock

    start = flow.StartHandle().Next(this.enter)
    enter = person().Next(this.check)
    check = flow.Function(this.checked).Next(this.sound)
    sound = flow.If(this.is_big).Then(this.fork).Else(this.enter)
    fork = flow.Split().Always(this.finance).Always(this.technical).Always(this.quality)
    finance = person().Next(this.join)
    technical = person().Next(this.join)
    quality = person().Next(this.join)
    join = flow.Join().Next(this.plan)
    plan = flow.Function(this.planned).Next(this.ask)
    ask = flow.Split().Always(this.v1).Always(this.v2).Always(this.v3).Always(this.v4).Always(this.v5)
    v1 = person().Next(this.voted)
    v2 = person().Next(this.voted)
    v3 = person().Next(this.voted)
    v4 = person().Next(this.voted)
    v5 = person().Next(this.voted)
    voted = flow.Join().Next(this.tally)
    tally = flow.Function(this.tallied).Next(this.supplier)
    supplier = person().Next(this.buy)
    buy = person().Next(this.fine)
    fine = flow.If(this.needs_rework).Then(this.enter).Else(this.post)
    post = flow.Function(this.posted).Next(this.issue)
    issue = person().OnTimeout(timedelta(days=30), this.told).Next(this.mark)
    mark = flow.Function(this.marked).Next(this.end)
    told = flow.End()
    end = flow.End()

    def is_big(self, activation: Activation) -> bool:
        return activation.process.data["total"] > 100

    def needs_rework(self, activation: Activation) -> bool:
        return activation.process.data["rework"]

    def checked(self, activation: Activation) -> None:
        _put(activation, checked=True)

    def planned(self, activation: Activation) -> None:
        _put(activation, stage="manager")

    def tallied(self, activation: Activation) -> None:
        _put(activation, votes=5)

    def posted(self, activation: Activation) -> None:
        _put(activation, posted=activation.process.data["total"])

    def marked(self, activation: Activation) -> None:
        _put(activation, marked=True)


def _put(activation: Activation, **values: object) -> None:
    activation.process.data.update(values)
    activation.process.save(update_fields=["data"])
