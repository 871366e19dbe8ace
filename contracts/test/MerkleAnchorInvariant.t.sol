// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleAnchor} from "../src/MerkleAnchor.sol";
import {vm} from "./Vm.sol";

/// @notice Drives an anchorage through arbitrary histories and remembers what it must say from then on.
contract Historian {
    MerkleAnchor public immutable anchorage;
    bytes32[] public roots;
    mapping(bytes32 root => uint256 blockNumber) public firstSeen;

    constructor() {
        anchorage = new MerkleAnchor(address(this), address(this));
    }

    /// @dev One byte of choice, so that histories repeat roots.
    function anchor(uint8 choice) external {
        bytes32 root = keccak256(abi.encode(choice));
        bool mayAnchor = !anchorage.paused() && firstSeen[root] == 0;
        try anchorage.anchor(root) {
            require(mayAnchor, "anchored while paused or twice");
            firstSeen[root] = block.number;
            roots.push(root);
        } catch {
            require(!mayAnchor, "refused a new root");
        }
    }

    function mine(uint16 blocks) external {
        vm.roll(block.number + blocks);
    }

    function togglePause() external {
        if (anchorage.paused()) anchorage.unpause();
        else anchorage.pause();
    }

    function count() external view returns (uint256) {
        return roots.length;
    }
}

contract MerkleAnchorInvariantTest {
    Historian private historian;

    function setUp() public {
        historian = new Historian();
    }

    /// @dev Read by forge: histories are made of the historian's calls alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(historian);
    }

    function invariant_EveryRootStaysInItsFirstBlock() public view {
        MerkleAnchor anchorage = historian.anchorage();
        for (uint256 i = 0; i < historian.count(); ++i) {
            bytes32 root = historian.roots(i);
            uint256 blockNumber = anchorage.anchoredAt(root);
            require(blockNumber == historian.firstSeen(root), "a root left its first block");
            require(blockNumber != 0 && blockNumber <= block.number, "a root is anchored in the future or nowhere");
        }
    }
}
