"""What frames the score: timing, size, kind of account, and words for people?"""

from __future__ import annotations

from functools import partial

from features.catalogue_parts.feature import Feature, Style, Use
from features.vocabulary import Subcategory

_feature = partial(Feature, subcategory=Subcategory.CONTEXT)
_shown = partial(
    Feature, subcategory=Subcategory.CONTEXT, style=Style.TEXT, unit="", window="at as_of", use=Use.DISPLAY
)
_NO_LINE = "no product line of a live contract known"

FEATURES = (
    _feature(
        name="days_to_decision",
        code="X01",
        style=Style.DAYS,
        unit="days",
        window="at as_of",
        meaning="days to the next date by which notice must be given (contract end minus notice days; past that date, the next term's)",
        null="evergreen contract: a decision is possible in each billing cycle",
        use=Use.TIMING,
        label="Days to the decision",
        sentence="The next decision falls in {actual}; with accounts like this in {expected}.",
    ),
    _feature(
        name="is_evergreen",
        code="X01",
        style=Style.YES_NO,
        unit="0 or 1",
        window="at as_of",
        meaning="1 when the contract has no end",
        null="never",
        use=Use.TIMING,
        label="Contract without end",
        sentence="Contract without end: {actual}; usual: {expected}.",
    ),
    _feature(
        name="tenure_weeks",
        code="X03",
        style=Style.WEEKS,
        unit="weeks",
        window="at as_of",
        meaning="weeks since the first contract began",
        null="never",
        direction=-1,
        label="Time as a customer",
        sentence="Customer for {actual}; accounts like this for {expected}.",
    ),
    _feature(
        name="term_months",
        code="F14",
        style=Style.MONTHS,
        unit="months",
        window="at as_of",
        meaning="length of the current term; 1 for an evergreen contract that states none",
        null="never",
        direction=-1,
        label="Length of the term",
        sentence="The term is {actual}; with accounts like this {expected}.",
    ),
    *(
        _feature(
            name=f"segment_is_{segment}",
            code="X04",
            style=Style.YES_NO,
            unit="0 or 1",
            window="at as_of",
            meaning=f"1 when the account is in segment {segment}",
            null="never",
            label=f"Is a {segment}",
            sentence=f"Is a {segment}: {{actual}}; usual: {{expected}}.",
        )
        for segment in ("studio", "broadcaster", "agency")
    ),
    _feature(
        name="seats_contracted_log",
        code="X05",
        style=Style.LOG_AMOUNT,
        unit="ln(seats)",
        window="at as_of",
        meaning="ln of the contracted seats, at least 1",
        null="no seats known",
        label="Size in seats",
        sentence="The contract has {actual} seats; with accounts like this {expected}.",
    ),
    *(
        _feature(
            name=f"size_is_{band}",
            code="X05",
            style=Style.YES_NO,
            unit="0 or 1",
            window="at as_of",
            meaning=f"1 when the contracted seats are {band.replace('_', ' ')}; all three are 0 above 250 seats",
            null="no seats known",
            label=f"Has {band.replace('_', ' ')} seats",
            sentence=f"Has {band.replace('_', ' ')} seats: {{actual}}; usual: {{expected}}.",
        )
        for band in ("1_to_10", "11_to_50", "51_to_250")
    ),
    *(
        _feature(
            name=f"region_is_{region}",
            code="X06",
            style=Style.YES_NO,
            unit="0 or 1",
            window="at as_of",
            meaning=f"1 when the head office is in {words}; all three are 0 where the country is not known",
            null="never",
            label=f"Is in {words}",
            sentence=f"Is in {words}: {{actual}}; usual: {{expected}}.",
        )
        for region, words in (
            ("americas", "the Americas"),
            ("emea", "Europe, the Middle East or Africa"),
            ("apac", "Asia or the Pacific"),
        )
    ),
    _feature(
        name="products_contracted",
        code="X07",
        style=Style.COUNT,
        unit="products",
        window="at as_of",
        meaning="different products on the lines of live contracts",
        null=_NO_LINE,
        label="Products bought",
        sentence="Products bought: {actual}; with accounts like this {expected}.",
    ),
    *(
        _feature(
            name=name,
            code="X07",
            style=Style.YES_NO,
            unit="0 or 1",
            window="at as_of",
            meaning=f"1 when a live contract has a line of {words}",
            null=_NO_LINE,
            label=f"Buys {words}",
            sentence=f"Buys {words}: {{actual}}; usual: {{expected}}.",
        )
        for name, words in (("buys_tokens", "tokens"), ("buys_metered_units", "metered units"))
    ),
    _feature(
        name="usable_weeks",
        code="X08",
        style=Style.WEEKS,
        unit="weeks",
        window="at as_of",
        meaning="weeks with usage data in which a contract was live; drives the grade, never the model",
        null="never",
        use=Use.DISPLAY,
        label="Weeks of data",
    ),
    _feature(
        name="sources_present",
        code="X08",
        style=Style.COUNT,
        unit="sources of 6",
        window="26 weeks",
        meaning="how many of usage, production, invoices, tickets, surveys, campaigns gave a row for this account in 26 weeks (campaigns: in 400 days)",
        null="never",
        use=Use.DISPLAY,
        label="Sources with data",
    ),
    *(
        _feature(
            name=f"{source}_present",
            code="X08",
            style=Style.YES_NO,
            unit="0 or 1",
            window="400 days" if source == "campaigns" else "26 weeks",
            meaning=f"1 when the source {source} gave a row for this account in the window; one of sources_present",
            null="never",
            use=Use.DISPLAY,
            label=f"Data of {source}",
        )
        for source in ("usage", "production", "invoices", "tickets", "surveys", "campaigns")
    ),
    _feature(
        name="campaign_count_w104",
        code="X08",
        style=Style.COUNT,
        unit="campaigns",
        window="104 weeks",
        meaning="active windows of this account that started in 104 weeks; drives the grade",
        null="never",
        use=Use.DISPLAY,
        label="Campaigns seen",
    ),
    _feature(
        name="campaign_gap_cv_w156",
        code="X08",
        style=Style.NUMBER,
        unit="standard deviation / mean",
        window="156 weeks",
        meaning="how unevenly the active windows that started in 156 weeks follow each other: standard deviation of the days between starts over their mean; 0 is regular, 1 pure chance; drives the grade",
        null="fewer than four starts",
        use=Use.DISPLAY,
        label="Unevenness of campaigns",
    ),
    _feature(
        name="seats_contracted",
        style=Style.COUNT,
        unit="seats",
        window="at as_of",
        meaning="contracted seats",
        null="no seats known",
        use=Use.DISPLAY,
        label="Seats bought",
    ),
    _feature(
        name="annual_value",
        style=Style.NUMBER,
        unit="major units of currency",
        window="at as_of",
        meaning="annual value of the live contracts in the currency of the contract whose decision comes next",
        null="never",
        use=Use.DISPLAY,
        label="Annual value",
    ),
    _feature(
        name="days_to_end",
        code="X02",
        style=Style.DAYS,
        unit="days",
        window="at as_of",
        meaning="days to the end of the current term",
        null="evergreen contract",
        use=Use.DISPLAY,
        label="Days to the end of the term",
    ),
    _feature(
        name="phase_conflict",
        code="C01",
        style=Style.YES_NO,
        unit="0 or 1",
        window="at as_of",
        meaning="1 when two live campaigns are in different phases",
        null="never",
        use=Use.DISPLAY,
        label="Overlapping campaigns",
    ),
    *(
        _feature(
            name=f"projects_{phase}_share",
            style=Style.SHARE,
            unit="0 to 1",
            window="at as_of",
            meaning=f"share of the account's active projects that are in {phase}, as known at as_of",
            null="no active project known, or no consent to production data",
            use=Use.DISPLAY,
            label=f"Projects in {phase}",
        )
        for phase in ("planning", "production", "delivery")
    ),
    _shown(
        name="phase",
        code="C01",
        meaning="strongest live phase: active > post > pre > off > none",
        null="never",
        label="Phase",
    ),
    _shown(
        name="project_phase",
        meaning="phase of most active projects (planning, production, delivery), else wrap (42 days from the last delivery) or idle; the phase to go by where no campaign is known",
        null="no project data, or no consent to it",
        label="Project phase",
    ),
    _shown(
        name="campaigns_live",
        meaning="labels of up to three live campaigns with their phase, the strongest first, and how many more there are",
        null="none is live",
        label="Campaigns now",
    ),
    _shown(name="cohort_status", meaning="at_risk, lost_pending or onboarding", null="never", label="Status"),
    _shown(name="account_name", meaning="name of the account", null="no name known", label="Account"),
    _shown(name="segment", meaning="segment of the account", null="never", label="Segment"),
    _shown(name="country", meaning="country of the account", null="not known", label="Country"),
    _shown(name="csm_owner_id", meaning="customer-success manager in charge", null="nobody", label="CSM"),
    _shown(name="currency", meaning="currency of the annual value", null="never", label="Currency"),
    _shown(name="contract_id", meaning="the contract whose decision comes next", null="never", label="Contract"),
    _shown(
        name="product_mix",
        code="X07",
        meaning="up to three products of live contracts, the largest quantity first, and how many more there are",
        null=_NO_LINE,
        label="Products",
    ),
    _shown(name="decision_on", meaning="date of the next decision", null="evergreen contract", label="Decision on"),
)
