// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleAnchor} from "../src/MerkleAnchor.sol";
import {vm} from "./Vm.sol";

contract MerkleAnchorTest {
    address private constant ADMIN = address(0xA11CE);
    address private constant ANCHORER = address(0xB0B);

    MerkleAnchor private anchorage;

    function setUp() public {
        anchorage = new MerkleAnchor(ADMIN, ANCHORER);
    }

    function testFuzz_AnchoredRootKeepsItsBlock(bytes32 root, uint64 blockNumber, uint64 later) public {
        vm.assume(root != bytes32(0) && blockNumber != 0);
        vm.roll(blockNumber);
        vm.expectEmit(address(anchorage));
        emit MerkleAnchor.RootAnchored(root, ANCHORER);
        vm.prank(ANCHORER);
        anchorage.anchor(root);
        require(anchorage.anchoredAt(root) == blockNumber, "not anchored in the current block");

        vm.roll(uint256(blockNumber) + later);
        vm.expectRevert(
            abi.encodeWithSelector(MerkleAnchor.MerkleAnchorAlreadyAnchored.selector, root, uint256(blockNumber))
        );
        vm.prank(ANCHORER);
        anchorage.anchor(root);
        require(anchorage.anchoredAt(root) == blockNumber, "moved by a second anchoring");
    }

    function testFuzz_OtherRootStaysUnknown(bytes32 root, bytes32 other) public {
        vm.assume(root != bytes32(0) && root != other);
        vm.prank(ANCHORER);
        anchorage.anchor(root);
        require(anchorage.anchoredAt(other) == 0, "a root that nobody anchored is on record");
    }

    function test_ZeroRootIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(MerkleAnchor.MerkleAnchorInvalidRoot.selector, bytes32(0)));
        vm.prank(ANCHORER);
        anchorage.anchor(bytes32(0));
    }

    function testFuzz_OnlyAnchorersAnchor(address stranger, bytes32 root) public {
        vm.assume(stranger != ANCHORER);
        _expectUnauthorized(stranger, anchorage.ANCHORER_ROLE());
        vm.prank(stranger);
        anchorage.anchor(root);
    }

    function testFuzz_OnlyPausersPause(address stranger) public {
        vm.assume(stranger != ADMIN);
        _expectUnauthorized(stranger, anchorage.PAUSER_ROLE());
        vm.prank(stranger);
        anchorage.pause();

        vm.prank(ADMIN);
        anchorage.pause();
        _expectUnauthorized(stranger, anchorage.PAUSER_ROLE());
        vm.prank(stranger);
        anchorage.unpause();
    }

    function testFuzz_PauseStopsAnchoringAndHidesNothing(bytes32 before, bytes32 during) public {
        vm.assume(before != bytes32(0) && during != bytes32(0) && before != during);
        vm.prank(ANCHORER);
        anchorage.anchor(before);
        vm.prank(ADMIN);
        anchorage.pause();

        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(ANCHORER);
        anchorage.anchor(during);
        require(anchorage.anchoredAt(before) == block.number, "a pause hid an anchored root");

        vm.prank(ADMIN);
        anchorage.unpause();
        vm.prank(ANCHORER);
        anchorage.anchor(during);
        require(anchorage.anchoredAt(during) == block.number, "anchoring did not resume");
    }

    function testFuzz_AdminReplacesALostAnchorer(address successor, bytes32 root) public {
        vm.assume(successor != ANCHORER && root != bytes32(0));
        bytes32 role = anchorage.ANCHORER_ROLE();
        vm.prank(ADMIN);
        anchorage.revokeRole(role, ANCHORER);
        vm.prank(ADMIN);
        anchorage.grantRole(role, successor);

        _expectUnauthorized(ANCHORER, role);
        vm.prank(ANCHORER);
        anchorage.anchor(root);
        vm.prank(successor);
        anchorage.anchor(root);
        require(anchorage.anchoredAt(root) == block.number, "the successor could not anchor");
    }

    function test_ConstructorRefusesTheZeroAddress() public {
        vm.expectRevert(abi.encodeWithSelector(MerkleAnchor.MerkleAnchorInvalidAdmin.selector, address(0)));
        new MerkleAnchor(address(0), ANCHORER);
        vm.expectRevert(abi.encodeWithSelector(MerkleAnchor.MerkleAnchorInvalidAnchorer.selector, address(0)));
        new MerkleAnchor(ADMIN, address(0));
    }

    function test_DeployerHoldsNoRole() public view {
        require(!anchorage.hasRole(anchorage.DEFAULT_ADMIN_ROLE(), address(this)), "the deployer is admin");
        require(!anchorage.hasRole(anchorage.ANCHORER_ROLE(), address(this)), "the deployer may anchor");
        require(!anchorage.hasRole(anchorage.ANCHORER_ROLE(), ADMIN), "the admin may anchor unasked");
    }

    function _expectUnauthorized(address account, bytes32 role) private {
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role));
    }
}
