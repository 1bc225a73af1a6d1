"""A program of one's own in a study: a DSPy module that first says what a ticket is about, then routes it."""

import dspy

import toolkit as tk


class Triage(dspy.Module):
    def __init__(self):
        super().__init__()
        self.gist = dspy.Predict("ticket -> gist")
        self.route = dspy.Predict("gist, queues -> queue")

    def forward(self, ticket, options):
        return self.route(gist=self.gist(ticket=ticket).gist, queues=", ".join(options))


arms = [tk.Arm.static_call("static"), tk.Arm.wrap(Triage(), name="triage"), *tk.floors()]

if __name__ == "__main__":
    study = tk.Study("own-program", tk.Desk(tasks=20), arms=arms, seeds=3)
    study.run()
    print(tk.compare(study))
