import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import {
  CHANGES_INDEX,
  CHANGES_PARTITION_KEY,
  CHANGES_SORT_KEY,
  HOST_PREFIX,
  PARTITION_KEY,
  SORT_KEY,
} from '../adapters/dynamodb/schema.ts'
import { acknowledge } from './acknowledge.ts'

/** The actions that the store's adapter uses, on single items and on the whole table. */
export type TableAction =
  | 'BatchGetItem'
  | 'DeleteItem'
  | 'GetItem'
  | 'PutItem'
  | 'Query'
  | 'Scan'
  | 'UpdateItem'

/** The table of a fleet, as the store's adapter defines it. */
export class FleetTable extends Construct {
  readonly table: Table

  constructor(scope: Construct, id: string, { production }: { production: boolean }) {
    super(scope, id)
    this.table = new Table(this, 'Table', {
      partitionKey: { name: PARTITION_KEY, type: AttributeType.STRING },
      sortKey: { name: SORT_KEY, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: production },
      deletionProtection: production,
      removalPolicy: production ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    this.table.addGlobalSecondaryIndex({
      indexName: CHANGES_INDEX,
      partitionKey: { name: CHANGES_PARTITION_KEY, type: AttributeType.STRING },
      sortKey: { name: CHANGES_SORT_KEY, type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    })
    if (!production) {
      acknowledge(this.table, {
        'AwsSolutions-DDB3':
          'A stage that is not marked as production stores nothing that must survive: hosts and templates can be added ' +
          'again, and everything else is rebuilt from running agents. Production stages have recovery on.',
      })
    }
  }

  get name(): string {
    return this.table.tableName
  }

  /** Allows exactly these actions on the table itself. */
  allow(...actions: readonly TableAction[]): PolicyStatement {
    return new PolicyStatement({ actions: prefixed(actions), resources: [this.table.tableArn] })
  }

  /** Allows exactly these actions, and only on items of hosts. */
  allowHosts(...actions: readonly TableAction[]): PolicyStatement {
    return new PolicyStatement({
      actions: prefixed(actions),
      resources: [this.table.tableArn],
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${HOST_PREFIX}*`] } },
    })
  }

  /** Allows reading the change index. */
  allowChanges(): PolicyStatement {
    return new PolicyStatement({
      actions: prefixed(['Query']),
      resources: [`${this.table.tableArn}/index/${CHANGES_INDEX}`],
    })
  }
}

function prefixed(actions: readonly TableAction[]): string[] {
  return actions.map((action) => `dynamodb:${action}`)
}
