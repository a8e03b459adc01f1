//! Making room for an application: its role, its database, its rights.

use async_trait::async_trait;
use postgres_protocol::password::scram_sha_256;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{Ask, Database, DatabaseFacts, Target, facts};
use crate::postgres::ask::RoleFacts;
use crate::postgres::facts::Open;

/// Makes the role and the database of this URL, where they are missing, with the rights an application needs to make
/// tables: since PostgreSQL 15, nobody but the owner of a database may do that in its schema `public`.
///
/// The administrator does it ([`administered_by`](Database::administered_by)). The server gets a SCRAM verifier, and
/// never sees the password. A role that is there keeps its password, and has to have this one. The rollback removes
/// what the step made; so a database that it made goes away with all that is in it by then.
pub fn provision(database: &Database) -> Provision {
    Provision(database.clone())
}

/// The step of [`provision`].
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Provision(Database);

/// What a rollback of [`Provision`] needs: what was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionBefore {
    role: bool,
    database: bool,
    may_create: bool,
}

/// A database that is ready for an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// The database.
    pub database: String,
    /// Its number on the server; `None` in a plan.
    pub oid: Option<u32>,
    /// The role that may make tables in it.
    pub role: String,
    /// The number of the role; `None` in a plan.
    pub role_oid: Option<u32>,
    /// Whom the database belongs to.
    pub owner: String,
}

/// What is there.
struct Found {
    target: Target,
    role: Option<RoleFacts>,
    database: Option<DatabaseFacts>,
    may_create: bool,
}

impl Found {
    fn provisioned(&self) -> Provisioned {
        let Target { name, user, .. } = &self.target;
        Provisioned {
            database: name.clone(),
            oid: self.database.as_ref().map(|database| database.oid),
            role: user.clone(),
            role_oid: self.role.as_ref().map(|role| role.oid),
            owner: self.database.as_ref().map_or_else(|| user.clone(), |database| database.owner.clone()),
        }
    }

    fn is_whole(&self) -> bool {
        self.role.is_some() && self.database.is_some() && self.may_create
    }
}

impl Provision {
    async fn server(&self, cx: &Context, target: &Target) -> Result<Open> {
        facts::open(cx, &self.0.maintenance(&target.name)).await
    }

    async fn look(&self, cx: &Context) -> Result<Found> {
        let target = self.0.target(cx).await?;
        let mut server = self.server(cx, &target).await?;
        let role: Option<RoleFacts> = server.ask(&Ask::Role(target.user.clone())).await?;
        let database: Option<DatabaseFacts> = server.ask(&Ask::Database(target.name.clone())).await?;
        let may_create = role.is_some() && database.is_some() && {
            let mut there = facts::open(cx, &self.0.beside(&target.name)).await?;
            there.ask(&Ask::MayCreate(target.user.clone())).await?
        };
        Ok(Found { target, role, database, may_create })
    }

    /// The role that is there must be the one of the URL: may it log in, with this password?
    async fn require_login(&self, cx: &Context, found: &Found) -> Result<()> {
        let Some(role) = &found.role else { return Ok(()) };
        let user = &found.target.user;
        if !role.login {
            return Err(Error::new(format!("the role `{user}` is there, and may not log in")));
        }
        let own = if found.database.is_some() { self.0.clone() } else { self.0.clone().named("postgres") };
        facts::open(cx, &own).await.map(drop).map_err(|error| {
            let kind = error.kind();
            let new = Error::new(format!("the role `{user}` is there, but the URL does not log it in"));
            new.caused_by(error)
                .kind_of(kind)
                .hint("correct the URL, or set the password of the role with `\\password`")
        })
    }

    async fn create_role(&self, server: &mut Open, target: &Target) -> Result<()> {
        let verifier = target.password.as_ref().map(|password| scram_sha_256(password.as_bytes()));
        server.order(&Ask::CreateRole(target.user.clone(), verifier)).await
    }
}

#[async_trait]
impl Step for Provision {
    type Before = ProvisionBefore;
    type Output = Provisioned;

    fn describe(&self) -> Description {
        let Self(database) = self;
        let admin = database.admin().by_hand();
        Description::new("postgres.provision", database.to_string())
            .summary(format!("make the role and the database of {database}"))
            .command(format!("createuser --pwprompt --maintenance-db={admin} ROLE"))
            .command(format!("createdb --maintenance-db={admin} --owner=ROLE NAME"))
            .undo_command(format!("dropdb --maintenance-db={admin} NAME; dropuser --maintenance-db={admin} ROLE"))
            .writes(database.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ProvisionBefore, Provisioned>> {
        let found = self.look(cx).await?;
        self.require_login(cx, &found).await?;
        let after = found.provisioned();
        if found.is_whole() {
            return Ok(Survey::Already(after));
        }
        let (role, database, may_create) = (found.role.is_some(), found.database.is_some(), found.may_create);
        let mut diff = Diff::none();
        if !role {
            diff = diff.and_add(format!("role {}", after.role));
        }
        if !database {
            diff = diff.and_add(format!("database {}, owned by {}", after.database, after.owner));
        } else if !may_create {
            diff = diff.and_add(format!("{} may create tables in {}", after.role, after.database));
        }
        Ok(Survey::predict(ProvisionBefore { role, database, may_create }, diff, after))
    }

    async fn apply(&self, cx: &Context, _: &ProvisionBefore) -> Result<Provisioned> {
        let found = self.look(cx).await?;
        let Target { name, user, .. } = &found.target;
        let mut server = self.server(cx, &found.target).await?;
        if found.role.is_none() {
            self.create_role(&mut server, &found.target).await?;
        }
        if found.database.is_none() {
            let (name, owner) = (name.clone(), Some(user.clone()));
            server.order(&Ask::CreateDatabase { name, owner, locale: None }).await?;
        }
        let found = self.look(cx).await?;
        if !found.may_create {
            let mut there = facts::open(cx, &self.0.beside(name)).await?;
            there.order(&Ask::Grant { role: user.clone(), give: true }).await?;
        }
        let found = self.look(cx).await?;
        self.require_login(cx, &found).await?;
        if !found.is_whole() {
            return Err(Error::new(format!("`{user}` still may not create tables in `{name}`")));
        }
        Ok(found.provisioned())
    }
}

#[async_trait]
impl Rollback for Provision {
    async fn rollback(&self, cx: &Context, before: &ProvisionBefore) -> Result<()> {
        let found = self.look(cx).await?;
        let Target { name, user, .. } = &found.target;
        let mut server = self.server(cx, &found.target).await?;
        if !before.database {
            server.order(&Ask::DropDatabase(name.clone())).await?;
        } else if !before.may_create && found.role.is_some() {
            let mut there = facts::open(cx, &self.0.beside(name)).await?;
            there.order(&Ask::Grant { role: user.clone(), give: false }).await?;
        }
        if !before.role && found.role.is_some() {
            server.order(&Ask::DropRole(user.clone())).await?;
        }
        Ok(())
    }
}
