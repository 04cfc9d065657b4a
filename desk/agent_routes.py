"""The desk's routes about agents. They only translate; what happens is in `desk/presence.py`."""

from __future__ import annotations

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from desk.middleware import DeskRequest
from desk.presence import AgentView, Me, People
from router.attendance import Presence


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`away`: a break. `offline`: the shift is over."""

    presence: Presence


@get("/agents", summary="Colleagues: who is there, and how much they hold")
async def list_agents(request: DeskRequest, people: NamedDependency[People]) -> list[AgentView]:
    return await people.colleagues(request.user)


@get("/agents/me", summary="The holder of the key")
async def read_me(request: DeskRequest, people: NamedDependency[People]) -> Me:
    return await people.me(request.user)


@put("/agents/{agent:str}/presence", summary="Say whether an agent is there; `me` is the holder of the key")
async def set_presence(
    request: DeskRequest, people: NamedDependency[People], agent: FromPath[str], data: JSONBody[Said]
) -> AgentView:
    viewer = request.user
    return await people.say(viewer, viewer.agent if agent == "me" else agent, data.presence)


ROUTES = (list_agents, read_me, set_presence)
