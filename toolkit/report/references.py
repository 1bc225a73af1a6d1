"""The literature that methods rest on: what a reference says, and its BibTeX entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One publication.

    Parameters
    ----------
    key
        For ``\\cite``.
    kind
        BibTeX's type of entry.
    author, title, where, year
        As BibTeX takes them; ``where`` is the journal, the book, or an identifier.
    rest
        Volume, number and pages, as they are told after the journal; empty where there are none.
    """

    key: str
    kind: str
    author: str
    title: str
    where: str
    year: int
    rest: str = ""

    def __str__(self) -> str:
        people = self.author.replace(" and others", " et al.").replace(" and ", "; ")
        title = self.title.replace("{", "").replace("}", "")
        rest = f" {self.rest.replace('--', '–')}" if self.rest else ""
        return f"{people} ({self.year}). {title}. {self.where}{rest}."

    @property
    def bibtex(self) -> str:
        """The entry, a field a line."""
        place = {"article": "journal", "inproceedings": "booktitle"}.get(self.kind, "howpublished")
        fields = {"author": self.author, "title": self.title, place: self.where, "year": str(self.year)}
        fields |= self._numbers() if self.rest else {}
        told = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@{self.kind}{{{self.key},\n{told}\n}}\n".replace("&", r"\&")

    def _numbers(self) -> dict[str, str]:
        volume, _, pages = self.rest.partition(", ")
        head, _, number = volume.rstrip(")").partition("(")
        return {"volume": head} | ({"number": number} if number else {}) | ({"pages": pages} if pages else {})


REFERENCES = {
    one.key: one
    for one in (
        Reference(
            "cameron2011", "article", "Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.",
            "Robust inference with multiway clustering", "Journal of Business & Economic Statistics", 2011,
            "29(2), 238--249",
        ),
        Reference(
            "clark1973", "article", "Clark, Herbert H.",
            "The language-as-fixed-effect fallacy: A critique of language statistics in psychological research",
            "Journal of Verbal Learning and Verbal Behavior", 1973, "12(4), 335--359",
        ),
        Reference(
            "deng2018", "inproceedings", "Deng, Alex and Knoblich, Ulf and Lu, Jiannan",
            "Applying the delta method in metric analytics: A practical guide with novel ideas",
            "Proceedings of the 24th ACM SIGKDD International Conference on Knowledge Discovery & Data Mining", 2018,
        ),
        Reference(
            "elfeki2026", "misc", "Elfeki, Mohamed and Trinh, Tu and Luu, Kelvin and others",
            "{HiL-Bench} (human-in-loop benchmark): Do agents know when to ask for help?", "arXiv:2604.09408", 2026,
        ),
        Reference(
            "fieller1954", "article", "Fieller, E. C.", "Some problems in interval estimation",
            "Journal of the Royal Statistical Society, Series B", 1954, "16(2), 175--185",
        ),
        Reference(
            "gama2013", "article", "Gama, João and Sebastião, Raquel and Rodrigues, Pedro Pereira",
            "On evaluating stream learning algorithms", "Machine Learning", 2013, "90(3), 317--346",
        ),
        Reference(
            "holm1979", "article", "Holm, Sture", "A simple sequentially rejective multiple test procedure",
            "Scandinavian Journal of Statistics", 1979, "6(2), 65--70",
        ),
        Reference(
            "horowitz2000", "article", "Horowitz, Joel L. and Manski, Charles F.",
            "Nonparametric analysis of randomized experiments with missing covariate and outcome data",
            "Journal of the American Statistical Association", 2000, "95(449), 77--84",
        ),
        Reference(
            "judd2012", "article", "Judd, Charles M. and Westfall, Jacob and Kenny, David A.",
            "Treating stimuli as a random factor in social psychology: A new and comprehensive solution to a pervasive "
            "but largely ignored problem",
            "Journal of Personality and Social Psychology", 2012, "103(1), 54--69",
        ),
        Reference(
            "khattab2024", "inproceedings", "Khattab, Omar and Singhvi, Arnav and Maheshwari, Paridhi and others",
            "{DSPy}: Compiling declarative language model calls into state-of-the-art pipelines",
            "International Conference on Learning Representations", 2024,
        ),
        Reference(
            "lu2024", "misc", "Lu, Yaxi and Yang, Shenzhi and Qian, Cheng and others",
            "Proactive agent: Shifting {LLM} agents from reactive responses to active assistance",
            "arXiv:2410.12361", 2024,
        ),
        Reference(
            "miller2024", "misc", "Miller, Evan",
            "Adding error bars to evals: A statistical approach to language model evaluations",
            "arXiv:2411.00640", 2024,
        ),
        Reference(
            "owen2012", "article", "Owen, Art B. and Eckles, Dean", "Bootstrapping data arrays of arbitrary order",
            "The Annals of Applied Statistics", 2012, "6(3), 895--927",
        ),
        Reference(
            "phipson2010", "article", "Phipson, Belinda and Smyth, Gordon K.",
            "Permutation p-values should never be zero: Calculating exact p-values when permutations are randomly "
            "drawn",
            "Statistical Applications in Genetics and Molecular Biology", 2010, "9(1)",
        ),
        Reference(
            "satterthwaite1946", "article", "Satterthwaite, F. E.",
            "An approximate distribution of estimates of variance components", "Biometrics Bulletin", 1946,
            "2(6), 110--114",
        ),
        Reference(
            "yao2024", "misc", "Yao, Shunyu and Shinn, Noah and Razavi, Pedram and Narasimhan, Karthik",
            "tau-bench: A benchmark for tool-agent-user interaction in real-world domains", "arXiv:2406.12045", 2024,
        ),
        Reference(
            "zheng2023", "inproceedings", "Zheng, Lianmin and Chiang, Wei-Lin and Sheng, Ying and others",
            "Judging {LLM}-as-a-judge with {MT}-Bench and Chatbot Arena",
            "Advances in Neural Information Processing Systems", 2023,
        ),
    )
}  # fmt: skip
"""By key."""
