"""Business documents as mapped classes, and the functions that keep one record true.

Importing the package maps every class, so that names in relationships always resolve.
"""

from records import (
    acknowledgement as acknowledgement,
)
from records import (
    actual as actual,
)
from records import (
    amendment as amendment,
)
from records import (
    api_key as api_key,
)
from records import (
    approval as approval,
)
from records import (
    attachment as attachment,
)
from records import (
    board as board,
)
from records import (
    board_rule as board_rule,
)
from records import (
    calendar as calendar,
)
from records import (
    certificate as certificate,
)
from records import (
    cost_centre as cost_centre,
)
from records import (
    daily_stock as daily_stock,
)
from records import (
    external as external,
)
from records import (
    inspection as inspection,
)
from records import (
    invoice as invoice,
)
from records import (
    legal_hold as legal_hold,
)
from records import (
    lot as lot,
)
from records import (
    meeting as meeting,
)
from records import (
    nonconformance as nonconformance,
)
from records import (
    notice as notice,
)
from records import (
    numbering as numbering,
)
from records import (
    order_limit as order_limit,
)
from records import (
    outside as outside,
)
from records import (
    outside_loss as outside_loss,
)
from records import (
    outside_stop as outside_stop,
)
from records import (
    part as part,
)
from records import (
    person as person,
)
from records import (
    purchase_order as purchase_order,
)
from records import (
    quality_clause as quality_clause,
)
from records import (
    quotation as quotation,
)
from records import (
    receipt as receipt,
)
from records import (
    requisition as requisition,
)
from records import (
    resource as resource,
)
from records import (
    routing as routing,
)
from records import (
    session as session,
)
from records import (
    signature as signature,
)
from records import (
    sole_source as sole_source,
)
from records import (
    sourcing as sourcing,
)
from records import (
    supplier as supplier,
)
from records import (
    vote as vote,
)
from records import (
    waiver as waiver,
)
from records import (
    webhook as webhook,
)
from records import (
    work_order as work_order,
)
